"""A journal that threads and processes share, some of which die."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import msgspec
import pytest

from mjbridge.emulator import Emulator, application
from mjbridge.emulator.jobs import Job, JobMemory
from mjbridge.journal import Entry, Journal
from mjbridge_mjproxy import MJProxy
from tests.journals import lines, over_http
from tests.processes import running
from tests.servers import Connection, Handler, Scripted


class _Accepted(JobMemory):
    """A vendor's own list of what it accepted, and of what it is being asked right now."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: list[Job] = []
        self.busy = threading.Lock()

    def add(self, job: Job) -> bool:
        with self.busy:
            self.jobs.append(job)
            return super().add(job)


@pytest.fixture
def vendor(serve: Callable[..., str]) -> tuple[str, _Accepted]:
    accepted = _Accepted()
    return serve(application(Emulator(MJProxy(), jobs=accepted))), accepted


def _check_nothing_lost(place: Path, accepted: _Accepted) -> list[Entry]:
    """Every task of the vendor's is in the journal by its id, or by its prompt as a doubt; the entries, if so."""
    kept = Journal(place)
    entries = list(kept.all())
    kept.close()
    by_prompt = {msgspec.json.decode(entry.command)["prompt"]: entry for entry in entries}
    assert len(by_prompt) == len(entries)
    for job in accepted.jobs:
        entry = by_prompt[job.prompt or ""]
        assert (entry.outcome, entry.task_id) in (("accepted", job.id), ("unknown", ""))
    ids = {job.id for job in accepted.jobs}
    assert all(entry.task_id in ids for entry in entries if entry.outcome == "accepted")
    return entries


def test_threads_share_a_journal(vendor: tuple[str, _Accepted], place: Path) -> None:
    url, accepted = vendor
    with over_http(url, place) as bridge, ThreadPoolExecutor(16) as pool:
        tasks = list(pool.map(bridge.imagine, [f"lighthouse {number}" for number in range(64)]))
    entries = _check_nothing_lost(place, accepted)
    assert {entry.ref for entry in entries} == {task.ref for task in tasks}
    assert len(entries) == 64


_SUBMITTING = """
import itertools, os, random, signal, sys, time
from mjbridge import Bridge, plugins
import mjbridge.journal, mjbridge.transport

url, place, name, how = sys.argv[1:]

def submit(run, numbers, submitted=lambda: None):
    account = {"provider": "mjproxy", "base_url": url}
    with Bridge({"accounts": {"main": account}, "journal": place}) as bridge:
        for number in numbers:
            bridge.imagine(f"{name} {run} {number}")
            submitted()

if how == "once":
    submit(0, range(8))
else:
    plugins.load("mjproxy")
    chance = random.Random(7)
    for run in range(40):
        ready, tell = os.pipe()
        child = os.fork()
        if not child:
            submit(run, itertools.count(), lambda: os.write(tell, b"."))
        os.close(tell)
        # Most die in the middle of their loop, some while they open what they need.
        if run % 5:
            os.read(ready, 1)
        time.sleep(chance.uniform(0, 0.05))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(ready)
"""


def _submitting(
    url: str, place: Path, name: str, how: str = "once"
) -> "AbstractContextManager[subprocess.Popen[bytes]]":
    return running(sys.executable, "-c", _SUBMITTING, url, place, name, how)


def test_processes_share_a_journal(vendor: tuple[str, _Accepted], place: Path) -> None:
    """From the first moment on, when each of them would make the file."""
    url, accepted = vendor
    with ExitStack() as stack:
        processes = [stack.enter_context(_submitting(url, place, f"process {number}")) for number in range(4)]
        assert [process.communicate()[1].decode() for process in processes] == [""] * 4
    entries = _check_nothing_lost(place, accepted)
    assert [entry.outcome for entry in entries] == ["accepted"] * 32


def test_killing_the_process_at_any_point_loses_no_accepted_task(vendor: tuple[str, _Accepted], place: Path) -> None:
    """Forty processes in a loop of submits are killed, each at a moment of its own."""
    url, accepted = vendor
    with _submitting(url, place, "killed", "killed") as process:
        assert process.communicate()[1].decode() == ""
    with accepted.busy:
        entries = _check_nothing_lost(place, accepted)
    assert len(accepted.jobs) > 40
    assert {entry.outcome for entry in entries} <= {"accepted", "unknown"}


def test_a_process_that_dies_between_acceptance_and_answer_leaves_a_doubt(
    scripted: Callable[[Handler], Scripted], place: Path
) -> None:
    processes: list[subprocess.Popen[bytes]] = []

    def kill(connection: Connection) -> None:
        connection.request()
        os.kill(processes[0].pid, signal.SIGKILL)

    url = scripted(kill).url
    with _submitting(url, place, "dying") as process:
        processes.append(process)
        _, said = process.communicate()
    assert (process.returncode, said) == (-signal.SIGKILL, b"")
    kept = Journal(place)
    assert lines(kept.unsettled()) == [("main", "unknown", "", "")]
    kept.close()


_FORKING = """
import os, sys
from mjbridge.journal import Journal

def connection():
    list(journal.all())
    with journal.engine.connect() as connection:
        return connection.connection.dbapi_connection

journal = Journal(sys.argv[1])
before = connection()
if os.fork() == 0:
    os._exit(connection() is before)
sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
def test_a_forked_process_leaves_its_parents_connection_alone(place: Path) -> None:
    """SQLite's locks do not pass to it: two processes on one connection can ruin the file."""
    subprocess.run([sys.executable, "-c", _FORKING, str(place)], check=True, timeout=60)
