"""Which requests share a connection: those of a thread do; of other threads, and of forked processes, none does."""

import os
import subprocess
import sys
import threading
from typing import Final

import pytest

from tests.exchanges import (
    HTML,
    REFUSAL,
    OpenBridge,
    StartServer,
    failure,
    fetch,
    once,
    submit,
    submit_reply,
    task_reply,
)
from tests.processes import PATIENCE
from tests.servers import Connection, answering, reply


def test_a_connection_is_used_again_also_after_a_refusal(
    provider: str, scripted: StartServer, bridge: OpenBridge
) -> None:
    server = scripted(answering(task_reply(provider), reply(REFUSAL, 404), reply(HTML), task_reply(provider)))
    opened = bridge(provider, server.url)
    fetch(opened)
    failure(fetch, opened)
    failure(submit, opened)
    fetch(opened)
    assert (len(server.requests), len(server.connections)) == (4, 1)


def test_a_connection_that_the_vendor_closed_between_two_requests_is_replaced(
    scripted: StartServer, bridge: OpenBridge
) -> None:
    server = scripted(once(submit_reply("mjproxy")))
    opened = bridge("mjproxy", server.url)
    for _ in range(3):
        submit(opened)
        server.connections[-1].ended.wait(PATIENCE)
    assert (len(server.requests), len(server.connections)) == (3, 3)


def test_each_thread_has_a_session_of_its_own(scripted: StartServer, bridge: OpenBridge) -> None:
    server = scripted(answering(task_reply("mjproxy")))
    opened = bridge("mjproxy", server.url)

    def twice() -> None:
        fetch(opened)
        fetch(opened)

    twice()
    thread = threading.Thread(target=twice)
    thread.start()
    thread.join(PATIENCE)
    assert (len(server.requests), len(server.connections)) == (4, 2)


def test_cookies_of_one_thread_do_not_reach_another(scripted: StartServer, bridge: OpenBridge) -> None:
    server = scripted(answering(task_reply("mjproxy").replace(b"\r\n", b"\r\nSet-Cookie: thread=first\r\n", 1)))
    opened = bridge("mjproxy", server.url)
    fetch(opened)
    thread = threading.Thread(target=fetch, args=(opened,))
    thread.start()
    thread.join(PATIENCE)
    assert b"thread=first" not in server.requests[1]


def test_many_threads_get_each_their_own_answer(scripted: StartServer, bridge: OpenBridge) -> None:
    def echo(connection: Connection) -> None:
        while request := connection.request():
            task_id = request.split(b"/")[3]
            connection.send(reply(b'{"id": "%s", "status": "SUCCESS"}' % task_id))

    opened = bridge("mjproxy", scripted(echo).url)
    wrong: list[str] = []

    def read_own(task_id: str) -> None:
        wrong.extend(found for _ in range(10) if (found := opened.fetch(f"a:{task_id}").id) != task_id)

    threads = [threading.Thread(target=read_own, args=(str(number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert wrong == []


_FORKING: Final = """
import os, sys
from mjbridge import Bridge

with Bridge({"accounts": {"main": {"provider": "mjproxy", "base_url": sys.argv[1]}}}) as bridge:
    bridge.fetch("main:1")
    if os.fork() == 0:
        bridge.fetch("main:1")
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.wait()[1])
    bridge.fetch("main:1")
sys.exit(status)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
def test_a_forked_process_has_a_connection_of_its_own(scripted: StartServer) -> None:
    """On its parent's, each could be given the reply to the other's request: another task, or none."""
    server = scripted(answering(task_reply("mjproxy")))
    subprocess.run([sys.executable, "-c", _FORKING, server.url], check=True, timeout=60)
    assert [len(server.requests), len(server.connections)] == [3, 2]
