"""The `mjbridge` command (extra `cli`)."""

import atexit
import gc
import io
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from mjbridge.errors import ConfigError, InvalidCommand, MJBridgeError, PluginError

FAILURE: Final = 1
MISUSE: Final = 2
INTERRUPTED: Final = 130
_SIGNALLED: Final = 128


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 done, 1 failure, 2 misuse. Errors are one line, without a traceback."""
    _prepare_streams()
    endings = _endings()
    if arguments is None:
        # The process is this command's: to walk over all that dies with it is an eighth of what a short one takes.
        atexit.register(gc.freeze)
    code = _run(arguments)
    sys.exit(_SIGNALLED + endings[0] if endings and code == INTERRUPTED else code)


def _run(arguments: Sequence[str] | None) -> int:
    try:
        from mjbridge.cli import commands  # noqa: PLC0415 it needs the extra `cli`: where that is missing the command says so below

        return commands.run(arguments)
    except ImportError as error:
        return _told(f"the command line needs an extra ({error}): pip install 'mjbridge[cli]'", FAILURE)
    except KeyboardInterrupt:
        return _told("interrupted before it began", INTERRUPTED)
    except MJBridgeError as error:
        return _told(str(error), exit_code(error))
    except BrokenPipeError:
        sys.stderr.close()  # who read our output has gone, and wants no message either
        return FAILURE
    except (OSError, MemoryError) as error:
        return _told(_reason(error), FAILURE)


def _reason(error: OSError | MemoryError) -> str:
    if isinstance(error, MemoryError):
        return "out of memory"
    return f"{error.filename}: {error.strerror}" if error.filename else str(error)


def exit_code(error: MJBridgeError) -> int:
    """2 where the caller has to mend something here, 1 where a vendor said no."""
    said_by_vendor = error.http_status is not None
    return MISUSE if isinstance(error, ConfigError | InvalidCommand | PluginError) and not said_by_vendor else FAILURE


def _prepare_streams() -> None:
    """Make every text printable: a closed stream swallows it, a narrow encoding replaces what it cannot say."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 it is sys.stdout or sys.stderr until the process ends
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _endings() -> list[int]:
    """Whoever ends the command politely, or its terminal, gets the same clean end as Ctrl-C; each signal is noted."""
    noted: list[int] = []

    def interrupt(number: int, _frame: FrameType | None) -> NoReturn:
        noted.append(number)
        raise KeyboardInterrupt

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)
    return noted


def _told(message: str, code: int) -> int:
    sys.stderr.write(f"mjbridge: {message}\n")
    return code
