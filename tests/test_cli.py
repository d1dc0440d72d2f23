"""The command line, as a person or a script meets it."""

import json
import os
import pkgutil
import pwd
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module

import click
import msgspec
import pytest

import mjbridge.cli
from mjbridge import Status, Task
from mjbridge.cli.commands import cli
from mjbridge.cli.sections import SECTIONS
from mjbridge.emulator.transport import SECONDS
from tests.exchanges import PROVIDERS, SOON, silent
from tests.processes import PATIENCE, run, running, uncovered
from tests.servers import Handler, Scripted, answering, reply
from tests.shell import Shell

PROMPT = "a lighthouse at dusk --ar 16:9"


def test_imagine_on_the_emulator_ends_with_five_pictures(shell: Shell) -> None:
    """Every provider, at the same time and at the emulator's own pace, in processes of their own."""
    del shell.environment[SECONDS]
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(_imagine, shell, provider) for provider in PROVIDERS]:
            done.result()


def _imagine(shell: Shell, provider: str) -> None:
    done = shell.process("imagine", PROMPT, "--emulate", provider, "--download", provider)
    assert done.returncode == 0, done.stderr.decode()
    out = done.stdout.decode()
    pictures = sorted((shell.folder / provider).iterdir())
    assert len(pictures) == 5
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures)
    assert all(f"{provider}{os.sep}{path.name}" in out for path in pictures)
    assert out.startswith(f"emulated-{provider}:")
    assert " completed\n" in out
    progress = done.stderr.decode().splitlines()
    assert progress[-1].endswith("completed 100%")
    assert len(progress) == len(set(progress))


def test_json_is_one_task_a_line_and_nothing_else(shell: Shell) -> None:
    task = shell.task("imagine", PROMPT, "--emulate", "octopusx")
    assert (task.status, task.provider, task.account) == (Status.COMPLETED, "octopusx", "emulated-octopusx")


def test_a_task_is_found_again_by_the_next_command(shell: Shell) -> None:
    """The whole story over separate processes: no-wait, fetch, wait, upscale, vary, reroll, press."""
    task = shell.task("imagine", PROMPT, "--emulate", "cometapi", "--no-wait")
    assert task.status is Status.PENDING
    assert shell.task("fetch", task.ref).id == task.id
    assert shell.task("fetch", task.ref, "--wait").status is Status.COMPLETED
    single = shell.task("upscale", task.ref, "2", "--download", "out")
    assert (single.action, single.parent_id) == ("upscale", task.id)
    assert [path.name for path in (shell.folder / "out").iterdir()] == [f"{single.id}.png"]
    assert shell.task("vary", task.ref, "3", "--no-wait").action == "variation"
    assert shell.task("reroll", task.ref, "--no-wait").action == "reroll"
    assert shell.task("press", task.ref, "U4", "--no-wait").action == "upscale"


def test_a_configured_account_is_used_by_name_and_by_route(shell: Shell) -> None:
    (shell.folder / "mjbridge.toml").write_text(
        '[accounts.rehearsal]\nprovider = "apimart"\nbase_url = "emulator:"\n'
        '[accounts.other]\nprovider = "mjproxy"\nbase_url = "emulator:"\n[routes]\ndefault = ["other"]\n'
    )
    assert shell.task("imagine", "pig", "--no-wait").account == "other"
    task = shell.task("imagine", "pig", "--account", "rehearsal", "--no-wait")
    assert (task.account, task.provider) == ("rehearsal", "apimart")
    assert shell.task("fetch", task.ref).prompt == "pig"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["imagine", "pig"], "no configuration found"),
        (["imagine", "pig", "--emulate", "comet"], "did you mean 'cometapi'?"),
        (["imagine", "pig", "--emulate", "CometAPI"], "did you mean 'cometapi'?"),
        (["imagine", "pig", "--emulate", "apimart", "--account", "main"], "exclude each other"),
        (["imagine", "", "--emulate", "apimart"], "prompt is empty"),
        (["imagine"], "Missing argument"),
        (["upscale", "emulated-apimart:1", "5"], "1<=x<=4"),
        (["fetch", "emulated-apimart"], "account:id"),
        (["fetch", "nope"], "'nope' is not a ref: write it as account:id"),
        (["wait", "nope"], "'nope' is not a ref"),
        (["seed", "nope"], "'nope' is not a ref"),
        (["cancel", "nope:"], "'nope:' is not a ref"),
        (["upscale", ":1", "2"], "':1' is not a ref"),
        (["download", "nope"], "'nope' is not a ref"),
        (["video", "nope:", "--auto"], "'nope:' is not a ref"),
        (["fetch", "https://x.example/1.png"], "'https://x.example/1.png' is an address, and not a ref"),
        (["show", "https://x.example/1.png"], "is an address: show takes a picture's FILE, or the REF of a task"),
        (["show", "nope:"], "'nope:' is not a ref"),
        (["zoom", "emulated-mjproxy:1", "--ratio", "1.5", "--prompt", "pig --zoom 1.2"], "exclude each other"),
        (["zoom", "emulated-mjproxy:1", "--prompt", ""], "prompt is empty"),
        (["fetch", "main:1"], "no configuration found"),
        (["--config", "missing.toml", "fetch", "main:1"], "missing.toml"),
        (["normalize", "missing.json"], "missing.json: no such file"),
        (["normalize", "missing*.json"], "missing*.json: no such file"),
        (["normalize", "."], "is a folder"),
        (["normalize"], "name the files to read"),
        (["normalize", "-", "--from", "sqlite:///a.db", "--table", "b"], "name the files to read"),
        (["normalize", "--from", "sqlite:///a.db"], "--from and --table go together"),
        (["normalize", "--from", "sqlite:///missing.db", "--table", "midjourneys"], "missing.db: no such file"),
        (["normalize", "--from", "nonsense", "--table", "midjourneys"], "no database URL"),
        (["normalize", "--from", "postgres://host/name", "--table", "midjourneys"], "it is written postgresql://"),
        (["normalize", "-", "--provider", "comet"], "did you mean 'cometapi'?"),
        (["imagin", "pig"], "unknown command 'imagin'; did you mean 'imagine'?"),
        (["juggle"], "unknown command 'juggle'; known: imagine, blend"),
        (["accounts", "--config", "a.toml"], "--config stands before the command: mjbridge --config ... accounts\n"),
        (["imagine", "a", "pig"], "Midjourney's own flags belong into PROMPT, and quotes around it\n"),
        (["imagine", "pig", "--ar", "16:9"], "Midjourney's own flags belong into PROMPT, and quotes around it\n"),
        (["show", "missing.png"], "missing.png is neither a file nor a REF"),
        (["imagine", "pig", "--emulate", "apimart", "--timeout", "-1"], "-1.0 is not in the range"),
        (["imagine", "pig", "--emulate", "apimart", "--timeout", "nan"], "nan is no time"),
        (["imagine", "pig", "--emulate", "apimart", "--download", __file__], "is a file"),
    ],
)
def test_misuse_is_one_message_and_exit_code_2(shell: Shell, arguments: list[str], message: str) -> None:
    done = shell(*arguments)
    assert done.returncode == 2
    assert done.stdout == b""
    assert message in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()
    assert not (shell.folder / "home").exists(), "something was submitted"


def test_who_has_no_home_is_told_to_make_one(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a user that is a bare number, in a container: nothing but HOME could tell."""
    for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        del shell.environment[name]
    nobody: dict[int, object] = {}
    monkeypatch.setattr(pwd, "getpwuid", nobody.__getitem__)
    for command in (["imagine", "pig", "--emulate", "apimart"], ["upscale", "emulated-apimart:1", "2"]):
        done = shell(*command)
        assert done.returncode == 2
        assert b"there is no home folder to keep files in: set HOME to one that can be written to" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fetch", "emulated-cometapi:1"], "task_no_found"),
        (["press", "emulated-apimart:1", "U1"], "no task 1"),
        (["upscale", "emulated-mjproxy:1", "1"], "task_no_found"),
    ],
)
def test_a_vendor_s_no_is_exit_code_1(shell: Shell, arguments: list[str], message: str) -> None:
    done = shell(*arguments)
    assert done.returncode == 1
    assert message in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


def test_what_a_grid_cannot_do_says_the_way_round(shell: Shell) -> None:
    ref = shell.task("imagine", "pig", "--emulate", "cometapi").ref
    done = shell("zoom", ref)
    assert done.returncode == 2
    assert done.stderr.decode().endswith("V4; it is a grid: upscale one of its pictures first\n")


def test_a_failed_task_is_shown_with_its_reason_and_exit_code_1(shell: Shell) -> None:
    ref = shell.task("imagine", "pig", "--emulate", "mjproxy", "--no-wait").ref
    (path,) = (shell.folder / "home" / "mjbridge" / "emulator" / "emulated-mjproxy").iterdir()
    path.write_text(json.dumps(json.loads(path.read_text()) | {"fail_reason": "the moon was in the way"}))
    done = shell("fetch", ref, "--wait")
    assert done.returncode == 1
    assert b"failed" in done.stdout
    assert b"the moon was in the way" in done.stdout
    assert shell.task("fetch", ref, exit_code=1).fail_reason == "the moon was in the way"


def test_a_wait_that_runs_out_names_the_task(shell: Shell) -> None:
    shell.environment[SECONDS] = "600"
    done = shell("imagine", "pig", "--emulate", "apimart", "--timeout", "2")
    assert done.returncode == 1
    assert "emulated-apimart:task_" in done.stderr.decode()
    assert "wait again with its ref" in done.stderr.decode()


def _account(shell: Shell, url: str) -> None:
    (shell.folder / "mjbridge.toml").write_text(f'[accounts.main]\nprovider = "mjproxy"\nbase_url = "{url}"\n')


def test_a_task_whose_vendor_no_longer_answers_is_named(shell: Shell, scripted: Callable[[Handler], Scripted]) -> None:
    """It is paid for: whoever keeps no progress needs its ref to ask again."""
    accepted = b'{"code": 1, "result": "17", "description": "ok"}'
    url = scripted(answering(reply(accepted), reply(status=401))).url
    _account(shell, url)
    done = shell("imagine", "pig")
    assert done.returncode == 1
    last = done.stderr.decode().splitlines()[-1]
    assert last.startswith("mjbridge: main (mjproxy) fetch: task main:17 was accepted, and cannot be asked for: ")
    assert last.endswith("wait again with its ref")


@pytest.mark.parametrize(
    "arguments",
    [
        ("imagine", "pig"),
        ("video", "https://example.com/pig.png"),
        ("fetch", "main:1"),
        ("upscale", "main:1", "2"),
        ("video", "main:1"),
        ("inpaint", "main:1", "--prompt", "pig"),
    ],
)
def test_the_time_out_bounds_the_asking_too(
    shell: Shell, scripted: Callable[[Handler], Scripted], arguments: tuple[str, ...]
) -> None:
    _account(shell, scripted(silent).url)
    started = time.monotonic()
    done = shell(*arguments, "--timeout", "0.5")
    assert time.monotonic() - started < SOON
    assert done.returncode == 1
    assert "no usable reply" in done.stderr.decode()


def test_a_task_that_was_opened_for_another_is_named_to_who_interrupts(
    shell: Shell, scripted: Callable[[Handler], Scripted]
) -> None:
    """An inpaint's own task is paid for while its answer still waits for its question."""
    vary = b'{"id":"1","status":"SUCCESS","buttons":[{"customId":"MJ::Inpaint::1::abc::SOLO","label":"Vary"}]}'
    accepted = b'{"code": 1, "result": "55", "description": "ok"}'
    waiting = b'{"id": "55", "status": "SUBMITTED"}'
    server = scripted(answering(reply(vary), reply(accepted), reply(waiting)))
    _account(shell, server.url)
    command = (sys.executable, "-m", "mjbridge", "inpaint", "main:1", "--prompt", "pig")
    with running(*command, cwd=shell.folder, env=uncovered(shell.environment)) as process:
        server.heard(3)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=PATIENCE / 2)
    assert process.returncode == 130
    assert "task main:55 was accepted" in told.decode()


def test_the_time_out_of_a_download_bounds_the_files_too(shell: Shell, scripted: Callable[[Handler], Scripted]) -> None:
    done_task = b'{"id":"1","status":"SUCCESS","imageUrl":"%b/g"}'
    files = scripted(silent)
    _account(shell, scripted(answering(reply(done_task % files.url.encode()))).url)
    started = time.monotonic()
    done = shell("download", "main:1", "--timeout", "0.5")
    assert time.monotonic() - started < SOON
    assert done.returncode == 1
    assert files.requests


def test_a_paid_task_is_shown_even_where_its_pictures_cannot_be_saved(shell: Shell) -> None:
    (shell.folder / "out").write_text("a file")
    done = shell("imagine", "pig", "--emulate", "apimart", "--download", "out/pictures", "--json")
    assert done.returncode == 2
    assert f"out{os.sep}pictures: the pictures cannot be saved there: Not a directory" in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()
    assert msgspec.json.decode(done.stdout, type=Task).status is Status.COMPLETED


def test_a_download_before_the_end_says_that_there_is_nothing(shell: Shell) -> None:
    done = shell("imagine", "pig", "--emulate", "apimart", "--no-wait", "--download", "out")
    assert done.returncode == 0
    assert "is pending and has no picture to save" in done.stderr.decode()
    assert not (shell.folder / "out").exists()


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
def test_a_narrow_encoding_replaces_what_it_cannot_say(shell: Shell, encoding: str) -> None:
    ref = shell.task("imagine", "pig", "--emulate", "apimart").ref
    shell.environment |= {"PYTHONIOENCODING": encoding}
    done = shell.process("fetch", ref)
    assert done.returncode == 0, done.stderr
    assert b"U1" in done.stdout


def test_half_a_character_in_a_prompt_or_ref_is_misuse(shell: Shell) -> None:
    for arguments in ([b"imagine", b"\xff pig", b"--emulate", b"apimart"], [b"fetch", b"emulated-mjproxy:\xff"]):
        done = run(sys.executable, "-m", "mjbridge", *map(os.fsdecode, arguments), env=shell.environment)
        assert (done.returncode, done.stdout) == (2, "")
        assert "half a character" in done.stderr


def test_what_rich_could_take_for_markup_is_shown_as_it_is(shell: Shell) -> None:
    task = shell.task("imagine", "a [bold]pig[/] :rocket:", "--emulate", "apimart", "--no-wait")
    assert b"a [bold]pig[/] :rocket:" in shell("fetch", task.ref).stdout


def test_an_emulator_folder_of_the_user_s_own_is_used_as_it_is(shell: Shell) -> None:
    (shell.folder / "mjbridge.toml").write_text(
        '[accounts.rehearsal]\nprovider = "apimart"\nbase_url = "emulator:my jobs"\n'
    )
    task = shell.task("imagine", "pig", "--no-wait")
    assert [path.name for path in (shell.folder / "my jobs").iterdir()] == [f"{task.id}.json"]


def test_normalize_reads_one_record_a_list_and_stdin(shell: Shell) -> None:
    records = [{"id": "1", "imageUrl": "g", "status": "SUCCESS"}, {"id": "task_1", "grid_image_url": "g"}]
    (shell.folder / "list.json").write_text(json.dumps(records, indent=2))
    done = shell("normalize", "list.json")
    tasks = [msgspec.json.decode(line, type=Task) for line in done.stdout.splitlines()]
    assert [(task.id, task.provider) for task in tasks] == [("1", "mjproxy"), ("task_1", "apimart")]
    assert done.returncode == 0
    one = shell("normalize", "-", "--provider", "octopusx", stdin=b'{"id": "7"}')
    assert msgspec.json.decode(one.stdout, type=Task).provider == "octopusx"


def test_normalize_names_what_is_no_record_and_prints_the_others(shell: Shell) -> None:
    done = shell("normalize", "-", stdin=b'[{"id":"1","imageUrl":"g"},{"colour":"red"},{"id":"2","imageUrl":"g"}]')
    assert done.returncode == 3
    assert len(done.stdout.splitlines()) == 2
    assert b"-: record 2 at byte 27: " in done.stderr
    broken = shell("normalize", "-", stdin=b"<html>")
    assert (broken.returncode, broken.stdout) == (3, b"")
    assert b"not JSON" in broken.stderr


def test_providers_lists_ours_as_text_and_as_json(shell: Shell) -> None:
    text = shell("providers").stdout.decode()
    assert all(name in text for name in PROVIDERS)
    lines = [json.loads(line) for line in shell("providers", "--json").stdout.splitlines()]
    assert {line["name"] for line in lines} >= set(PROVIDERS)
    assert all(line["fault"] == "" for line in lines if line["name"] in PROVIDERS)


def test_help_loads_no_provider(shell: Shell) -> None:
    program = (
        "import sys, mjbridge.cli\n"
        "try:\n    mjbridge.cli.main(['--help'])\n"
        "except SystemExit as end:\n    assert end.code == 0\n"
        "loaded = [name for name in sys.modules if name.startswith(('mjbridge_', 'requests', 'stevedore', 'PIL'))]\n"
        "assert not loaded, loaded\n"
    )
    done = run(sys.executable, "-c", program, env=shell.environment)
    assert done.returncode == 0, done.stderr
    assert "Exit codes: 0 done, 1 failure, 2 misuse" in done.stdout


def test_a_reader_that_goes_away_is_no_traceback(shell: Shell) -> None:
    document = json.dumps([{"id": "1", "imageUrl": "g"}] * 20_000)
    command = f'"{sys.executable}" -m mjbridge normalize - | head -c 1'
    done = run("sh", "-c", command, input=document, env=shell.environment)
    assert (done.stdout, "Traceback" in done.stderr) == ("{", False)


def test_a_command_waits_for_nothing_that_only_others_need(shell: Shell) -> None:
    shell.write("in.jsonl", b'{"id":"1","imageUrl":""}\n')
    program = (
        "import sys, mjbridge.cli\n"
        "try:\n    mjbridge.cli.main(['normalize', 'in.jsonl', '-q', '-o', 'out.jsonl'])\n"
        "except SystemExit as end:\n    assert end.code == 0\n"
        "others = ('rich', 'platformdirs', 'mjbridge.cli.vocabulary', 'concurrent.futures.process')\n"
        "loaded = [name for name in others if name in sys.modules]\n"
        "assert not loaded, loaded\n"
    )
    done = run(sys.executable, "-c", program, cwd=shell.folder, env=shell.environment)
    assert done.returncode == 0, done.stderr


def test_help_lists_every_command_once() -> None:
    listed = " ".join(SECTIONS.values()).split()
    modules = [import_module(f"mjbridge.cli.{each.name}") for each in pkgutil.iter_modules(mjbridge.cli.__path__)]
    written = [command for module in modules for command in getattr(module, "CLI_COMMANDS", ())]
    assert sorted(listed) == sorted(command.name for command in written)
    context = click.Context(cli)
    assert {name: cli.get_command(context, name) for name in listed} == {each.name: each for each in written}
