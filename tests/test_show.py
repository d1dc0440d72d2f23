"""`mjbridge show`, in a terminal and out of it, and `mjbridge download`."""

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from mjbridge.emulator import pictures
from tests.servers import Connection, Handler, Scripted, reply
from tests.shell import Shell

CELL = re.compile(r"\x1b\[38;2;(\d+);(\d+);(\d+);48;2;(\d+);(\d+);(\d+)m▀")


@pytest.fixture
def shell(shell: Shell) -> Shell:
    shell.environment |= {
        "XDG_CACHE_HOME": str(shell.folder / "home"),
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
    }
    shell.environment.pop("NO_COLOR", None)
    return shell


def in_terminal(shell: Shell, *arguments: str) -> str:
    """What a terminal of 40 columns and 11 lines shows."""
    shell.environment |= {"COLUMNS": "40", "LINES": "11"}
    return shell.terminal(*arguments)


def test_a_terminal_shows_the_picture_in_half_blocks(shell: Shell) -> None:
    """As large as there is room: of 40 columns and 11 lines, one for the prompt, 20 by 20 pixels of a square."""
    ref = shell.task("imagine", "pig", "--emulate", "mjproxy").ref
    rows = [CELL.findall(line) for line in in_terminal(shell, "show", ref).splitlines() if "▀" in line]
    assert [len(row) for row in rows] == [20] * 10
    drawn = [[tuple(map(int, cell[at : at + 3])) for cell in row] for row in rows for at in (0, 3)]
    expected = Image.open(io.BytesIO(pictures.grid("pig"))).convert("RGB").resize((20, 20))
    assert drawn == [[expected.getpixel((x, y)) for x in range(20)] for y in range(20)]


def test_a_file_is_shown_too(shell: Shell) -> None:
    (shell.folder / "wide.jpg").write_bytes(_jpeg((400, 100)))
    rows = [CELL.findall(line) for line in in_terminal(shell, "show", "wide.jpg").splitlines() if "▀" in line]
    assert [len(row) for row in rows] == [40] * 5


def _jpeg(size: tuple[int, int]) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, "teal").save(file, "JPEG")
    return file.getvalue()


@pytest.mark.parametrize("poor", [{"TERM": "dumb"}, {"NO_COLOR": "1"}, {"PYTHONIOENCODING": "ascii"}])
def test_a_terminal_that_cannot_is_told_the_path(poor: dict[str, str], shell: Shell) -> None:
    (shell.folder / "a.jpg").write_bytes(_jpeg((10, 10)))
    shell.environment |= poor
    assert in_terminal(shell, "show", "a.jpg").strip() == "a.jpg"


def test_out_of_a_terminal_the_path_is_printed_and_the_picture_is_there(shell: Shell) -> None:
    ref = shell.task("imagine", "pig", "--emulate", "mjproxy").ref
    done = shell("show", ref)
    path = Path(done.stdout.decode().strip())
    assert path.read_bytes() == pictures.grid("pig")
    assert path.is_relative_to(shell.folder / "home")
    again = shell("show", ref)
    assert (again.stdout, again.stderr) == (done.stdout, b"")


def test_save_saves_all_and_json_prints_the_task(shell: Shell) -> None:
    ref = shell.task("imagine", "pig", "--emulate", "apimart").ref
    assert shell.task("show", ref, "--save", "out").ref == ref
    assert len(list((shell.folder / "out").iterdir())) == 5
    assert shell.task("show", ref).ref == ref
    assert not (shell.folder / "home" / "mjbridge" / "pictures").exists()


def test_open_hands_the_picture_to_the_desktop(shell: Shell) -> None:
    viewer = shell.folder / "bin" / "xdg-open"
    viewer.parent.mkdir()
    viewer.write_text(f'#!/bin/sh\necho "$1" > "{shell.folder}/opened"\n')
    viewer.chmod(0o755)
    (shell.folder / "a.jpg").write_bytes(_jpeg((10, 10)))
    shell.environment["PATH"] = f"{viewer.parent}:{shell.environment['PATH']}"
    done = shell.process("show", "a.jpg", "--open")
    assert (done.returncode, done.stdout) == (0, b"")
    assert (shell.folder / "opened").read_text().strip() == "a.jpg"


def unfinished(shell: Shell) -> str:
    """The ref of a task that will not be finished today."""
    (shell.folder / "mjbridge.toml").write_text('[accounts.a]\nprovider = "mjproxy"\nbase_url = "emulator:jobs"\n')
    ref = shell.task("imagine", "pig", "--no-wait").ref
    (job,) = (shell.folder / "jobs").iterdir()
    job.write_text(json.dumps(json.loads(job.read_text()) | {"duration": 10**6}))
    return ref


def test_a_task_without_a_picture_is_shown_as_fetch_shows_it(shell: Shell) -> None:
    ref = unfinished(shell)
    done = shell("show", ref)
    assert done.returncode == 0
    assert f"{ref} p" in done.stdout.decode()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["page.png"], 0, ""),
        (["bomb.png", "--json"], 2, "this is a file"),
        (["missing.png"], 2, "account:id"),
        (["emulated-mjproxy:1"], 1, "task_no_found"),
    ],
)
def test_what_cannot_be_shown_is_said(arguments: list[str], code: int, message: str, shell: Shell) -> None:
    (shell.folder / "page.png").write_text("<html>")
    (shell.folder / "bomb.png").write_text("")
    (shell.folder / "mjbridge.toml").write_text("")
    done = shell("show", *arguments)
    assert done.returncode == code
    assert message in done.stderr.decode()
    assert b"Traceback" not in done.stderr


# Download.


def grid_alone(connection: Connection) -> None:
    """An MJ-proxy that gives the grid, and no single."""
    while request := connection.request():
        if b"GET /grid" in request:
            connection.send(reply(pictures.grid("pig")))
        else:
            host = request.partition(b"Host: ")[2].partition(b"\r")[0].decode()
            record = {"id": "1", "action": "IMAGINE", "status": "SUCCESS", "imageUrl": f"http://{host}/grid"}
            connection.send(reply(json.dumps(record).encode()))


@pytest.mark.parametrize("command", [("download", "a:1", "out"), ("fetch", "a:1", "--download", "out")])
def test_singles_are_cut_by_flag(
    command: tuple[str, ...], shell: Shell, scripted: Callable[[Handler], Scripted]
) -> None:
    config = f'[accounts.a]\nprovider = "mjproxy"\nbase_url = "{scripted(grid_alone).url}"\napi_key = "sk-a"\n'
    (shell.folder / "mjbridge.toml").write_text(config)
    for flags, names in (((), ["1.png"]), (("--singles",), ["1.png", "1_1.png", "1_2.png", "1_3.png", "1_4.png"])):
        done = shell(*command, *flags)
        assert done.returncode == 0, done.stderr.decode()
        assert sorted(path.name for path in (shell.folder / "out").iterdir()) == names
        told = [word for word in done.stdout.decode().split() if word.startswith("out/")]
        assert told == [f"out/{name}" for name in names]


def test_download_as_json_is_the_ref_and_the_paths(shell: Shell) -> None:
    ref = shell.task("imagine", "pig", "--emulate", "octopusx").ref
    done = shell("download", ref, "out", "--json")
    told = json.loads(done.stdout)
    assert told["ref"] == ref
    assert [Path(path).is_file() for path in (shell.folder / each for each in told["paths"])] == [True] * 5


@pytest.mark.parametrize(
    "arguments",
    [("imagine", "pig", "--emulate", "apimart", "--download"), ("show", "REF", "--save")],
    ids=["imagine", "show"],
)
def test_what_was_saved_is_told_to_a_pipe_after_the_task(arguments: tuple[str, ...], shell: Shell) -> None:
    ref = shell.task("imagine", "a pig", "--emulate", "octopusx").ref
    done = shell(*(ref if word == "REF" else word for word in arguments), "out", "--json")
    task, files = map(json.loads, done.stdout.splitlines())
    assert files["ref"] == f"{task['account']}:{task['id']}"
    assert sorted(shell.folder / path for path in files["paths"]) == sorted((shell.folder / "out").iterdir())


def test_a_download_of_nothing_is_said(shell: Shell) -> None:
    done = shell("download", unfinished(shell))
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"has no finished picture" in done.stderr
