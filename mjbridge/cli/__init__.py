"""The `mjbridge` command (extra `cli`)."""

import sys
from collections.abc import Sequence
from typing import Final, NoReturn

from mjbridge.errors import ConfigError, InvalidCommand, MJBridgeError, PluginError

FAILURE: Final = 1
MISUSE: Final = 2
_INTERRUPTED: Final = 130


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 done, 1 failure, 2 misuse. Errors are one line, without a traceback."""
    try:
        from mjbridge.cli import commands  # noqa: PLC0415 the extra may be missing, and the library works without
    except ImportError as error:
        _leave(f"the command line needs an extra ({error}): pip install 'mjbridge[cli]'", FAILURE)
    try:
        sys.exit(commands.run(arguments))
    except MJBridgeError as error:
        _leave(str(error), exit_code(error))
    except BrokenPipeError:
        sys.stderr.close()  # who read our output has gone, and wants no message either
        sys.exit(FAILURE)
    except OSError as error:
        _leave(f"{error.filename}: {error.strerror}" if error.filename else str(error), FAILURE)
    except KeyboardInterrupt:
        _leave("interrupted", _INTERRUPTED)


def exit_code(error: MJBridgeError) -> int:
    """2 where the caller has to mend something here, 1 where a vendor said no."""
    said_by_vendor = error.http_status is not None
    return MISUSE if isinstance(error, ConfigError | InvalidCommand | PluginError) and not said_by_vendor else FAILURE


def _leave(message: str, code: int) -> NoReturn:
    print(f"mjbridge: {message}", file=sys.stderr)  # noqa: T201 the one place where errors become text
    sys.exit(code)
