"""Every supported cell of the capability table once more, over real sockets."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from mjbridge import Level, Unsupported, plugins
from mjbridge.account import Account
from mjbridge.commands import COMMANDS, Command
from mjbridge.emulator import Emulator, application
from mjbridge.testing.cells import EXAMPLES, Parents, check_result
from mjbridge.testing.stage import Clock, settled
from mjbridge.transport import RequestsTransport
from tests.exchanges import PROVIDERS

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_command_works_over_http(provider: str, serve: "Callable[[WSGIApplication], str]") -> None:
    """One server a provider, its commands one after the other; what one example cannot say is not submitted."""
    clock, loaded, behind = Clock(), plugins.load(provider)(), list["WSGIApplication"]()

    def serving(environ: "WSGIEnvironment", start_response: "StartResponse") -> "Iterable[bytes]":
        # What it serves is known once its address is.
        return behind[0](environ, start_response)

    url = serve(serving)
    behind.append(application(Emulator(loaded, public_url=url, clock=clock, duration=6.0), clock.sleep))
    account = Account("contract", loaded, RequestsTransport(url), "sk-key", 1.0)
    done: list[type[Command]] = []
    for kind in COMMANDS:
        if loaded.support(kind).level is Level.UNSUPPORTED:
            continue
        for command in EXAMPLES[kind](Parents(account, clock)):
            with suppress(Unsupported):
                check_result(command, settled(account, clock, account.submit(command)))
                done.append(kind)
    account.transport.close()
    assert set(done) == set(loaded.supports)
