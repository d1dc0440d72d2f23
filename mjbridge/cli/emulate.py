"""`mjbridge emulate`: a vendor on a port, so that applications in any language can be tried without paying."""

import importlib
import shlex
import socket
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from mjbridge import plugins
from mjbridge.commands import Imagine
from mjbridge.errors import ConfigError
from mjbridge.provider import Provider

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_THREADS: Final = 16
_ANY_KEY: Final = "sk-any-key-will-do"
_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}  # noqa: S104 looked up, never bound to: where to reach a server on all addresses


@click.command()
@click.option("--provider", metavar="NAME", required=True, help="Whose dialect to speak.")
@click.option("--host", metavar="HOST", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--port", type=click.IntRange(0, 65535), default=8800, show_default=True, help="0 picks a free one.")
@click.option("--public-url", metavar="URL", help="Where others reach it, if not at HOST and PORT: pictures' links.")
@click.option("--key", metavar="KEY", help="Refuse requests without this key (default: any, or none, will do).")
@click.option(
    "--seconds", type=click.FloatRange(0), default=2.0, show_default=True, help="From a submit to a finished grid."
)
@click.option("--fault", "faults", metavar="FAULT", multiple=True, help="Something to go wrong, once; may be repeated.")
def emulate(
    provider: str,
    host: str,
    port: int,
    public_url: str | None,
    key: str | None,
    seconds: float,
    faults: tuple[str, ...],
) -> None:
    """Serve an emulated vendor over HTTP.

    Its API and its pictures, for applications in any language, until Ctrl-C. Any key will do, and nothing costs.

    \b
    FAULT is NAME[=VALUE][*TIMES]:
      queue-full            a submit is refused
      banned-prompt=WORD    a prompt with this word is refused
      fail-task[=REASON]    an accepted task fails
      http=STATUS           a request is answered by some proxy
      slow=SECONDS          a reply is held back
    as in --fault http=503*2 --fault queue-full
    """
    from mjbridge.emulator import Emulator, application  # noqa: PLC0415 only who serves needs it
    from mjbridge.emulator.faults import parse  # noqa: PLC0415 the same

    waitress = _waitress()
    dialect = plugins.load(provider)()
    script = [parse(fault) for fault in faults]
    with closing(_listening(host, port)) as listener:
        here = _url(_EVERYWHERE.get(host, host), listener.getsockname()[1])
        emulator = Emulator(dialect, public_url=(public_url or here).rstrip("/"), duration=seconds, key=key)
        emulator.faults.add(*script)
        server = waitress.create_server(_told(application(emulator)), sockets=[listener], threads=_THREADS)
        with suppress(KeyboardInterrupt):
            click.echo(f"{dialect.name} is emulated at {here} (Ctrl-C ends it)\n")
            click.echo(_first_steps(dialect, emulator.public_url, key or _ANY_KEY))
            server.run()
        server.close()


def _waitress() -> Any:
    try:
        waitress = importlib.import_module("waitress")
    except ImportError:
        raise ConfigError("serving needs waitress: pip install 'mjbridge[serve]'") from None
    # That requests wait for each other is no news, and stderr has a line for each already.
    waitress.utilities.queue_logger.setLevel("ERROR")
    return waitress


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigError(f"cannot listen at {_url(host, port)}: {error.strerror}") from None


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _told(served: "WSGIApplication") -> "WSGIApplication":
    """The same application, with a line on stderr for every request."""

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> "Iterable[bytes]":
        def tell(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            # What comes from outside is not to steer a terminal.
            click.echo(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']!a:.200} {status}", err=True)
            return start_response(status, headers, *more)

        return served(environ, tell)

    return answer


def _first_steps(provider: Provider, url: str, key: str) -> str:
    """The account that reaches it, and a first request in its own dialect."""
    return f"""\
# mjbridge.toml
[accounts.emulated]
provider = {_quoted(provider.name)}
base_url = {_quoted(url)}
api_key = {_quoted(key)}
poll_interval = 0.5

{_curl(provider, url, key)}
"""


def _quoted(text: str) -> str:
    # JSON's strings are among TOML's.
    return msgspec.json.encode(text).decode()


def _curl(provider: Provider, url: str, key: str) -> str:
    request = provider.authorize(next(provider.submit(Imagine(prompt="a lighthouse at dusk"))), key)
    headers = {"Content-Type": "application/json", **request.headers}
    told = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    body = request.content.decode()
    return shlex.join(["curl", "-s", "-X", request.method, url + request.path, *told, "-d", body])


CLI_COMMANDS: Final = (emulate,)
