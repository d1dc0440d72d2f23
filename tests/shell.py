"""The command line, as a person or a script meets it."""

import io
import os
import pty
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from unittest import mock

import msgspec

from mjbridge import Task
from mjbridge.cli import main
from tests.processes import PATIENCE, running


class Shell:
    """A folder and a home of its own, in which `mjbridge` is run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        own = {name: str(folder / "home") for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME")}
        self.environment = {**os.environ, **own, "COLUMNS": "200"}

    def write(self, name: str, content: bytes) -> Path:
        """A file in the folder."""
        path = self.folder / name
        path.write_bytes(content)
        return path

    def files(self) -> list[str]:
        """The names of the folder's files."""
        return sorted(path.name for path in self.folder.iterdir() if path.is_file())

    def __call__(self, *arguments: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        """All that a process of its own would do, without the half second that one takes to start."""
        out, err = io.BytesIO(), io.BytesIO()
        with (
            chdir(self.folder),
            mock.patch.dict(os.environ, self.environment, clear=True),
            mock.patch.object(sys, "argv", ["mjbridge"]),
            mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), "utf-8")),
            redirect_stdout(io.TextIOWrapper(out, "utf-8", write_through=True)),
            redirect_stderr(io.TextIOWrapper(err, "utf-8", write_through=True)),
        ):
            code = _exit_code(arguments)
            return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())

    def process(self, *arguments: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        """The same as a process of its own: where encodings, other processes or missing modules matter."""
        return subprocess.run(
            [sys.executable, "-m", "mjbridge", *arguments],
            cwd=self.folder,
            env=self.environment,
            input=stdin,
            capture_output=True,
            check=False,
            timeout=PATIENCE,
        )

    def terminal(self, *arguments: str, stream: str = "stdout") -> str:
        """What is shown where this stream of a process of its own is a terminal."""
        ours, theirs = pty.openpty()
        command = (sys.executable, "-m", "mjbridge", *arguments)
        out, err = (theirs if name == stream else subprocess.DEVNULL for name in ("stdout", "stderr"))
        with (
            os.fdopen(ours, "rb", buffering=0) as shown,
            running(*command, cwd=self.folder, env=self.environment, stdout=out, stderr=err) as process,
        ):
            os.close(theirs)
            text = b"".join(_until_hung_up(shown)).decode()
            process.wait()
        assert process.returncode == 0, text
        return text

    def task(self, *arguments: str, exit_code: int = 0) -> Task:
        """The one task that a `--json` command prints; what it saved is told after it."""
        done = self(*arguments, "--json")
        assert done.returncode == exit_code, done.stderr.decode()
        line, *saved = done.stdout.splitlines()
        assert len(saved) == any(option in arguments for option in ("--download", "--save"))
        return msgspec.json.decode(line, type=Task)


def _until_hung_up(terminal: io.RawIOBase) -> Iterator[bytes]:
    with suppress(OSError):  # Linux's way to say that nobody is left at the other side
        yield from iter(lambda: terminal.read(2**16) or b"", b"")


def _exit_code(arguments: Sequence[str]) -> int:
    try:
        main(arguments)
    except SystemExit as end:
        return int(end.code or 0)
