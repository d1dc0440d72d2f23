"""Processes that tests run: none outlives its test, and none is waited for without end."""

import os
import signal
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

PATIENCE: Final = 120.0
"""Seconds after which something is taken to be stuck, however slow and busy the machine is."""


def run(*command: str | Path, check: bool = False, **how: Any) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end; what it says, as text."""
    return subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="replace", timeout=PATIENCE, check=check, **how
    )


@contextmanager
def running(
    *command: str | Path,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    stdin: int | None = None,
    stdout: int | None = None,
    stderr: int = subprocess.PIPE,
) -> "Generator[subprocess.Popen[bytes]]":
    """A command at work. With the block it ends, and so does all that it started.

    Should it be stuck it ends before, so whoever reads what it says comes to an end too.
    """
    with subprocess.Popen(
        command, cwd=cwd, env=env, stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True
    ) as process:

        def kill() -> None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

        limit = threading.Timer(PATIENCE, kill)
        limit.daemon = True
        limit.start()
        try:
            yield process
        finally:
            limit.cancel()
            kill()


def uncovered(environment: dict[str, str]) -> dict[str, str]:
    """The environment of a process that is interrupted, or whose disk is full.

    Coverage takes a lock for every function that it meets, and a Ctrl-C in there would end in that lock. It writes a
    file too, and would meet the same limit.
    """
    return {name: value for name, value in environment.items() if not name.startswith("COVERAGE_")}
