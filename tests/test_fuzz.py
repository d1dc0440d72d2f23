"""Mutated records, by the hundred thousand: each is a task or `MalformedRecord`, for every provider and by detection.

`MJBRIDGE_FUZZ_RECORDS` says how many (default 10,000; a million takes a minute or two on two cores), and
`MJBRIDGE_FUZZ_SEED` which.
"""

import copy
import json
import multiprocessing
import os
import random
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import mjbridge
from mjbridge import MalformedRecord, plugins
from mjbridge.task import decode
from mjbridge.testing import record_cases

FIXTURES = Path(__file__).parent.parent / "fixtures"
RECORDS: Final = int(os.environ.get("MJBRIDGE_FUZZ_RECORDS", "10000"))
SEED: Final = int(os.environ.get("MJBRIDGE_FUZZ_SEED", "0"))
CHUNK: Final = 5000

VALUES: Final[list[Any]] = [
    *(None, True, 0, -1, 65, 0.65, 1e308, 10**400, 2**53 + 1, 1740000000123),
    *("", "0", "abc", "-5%", "250%", "9" * 30, "2025-02-19T21:20:03Z", "null", "[{", '{"a": [1]}', "\x00", "\ud7ff"),
    *([], {}, [[]], [None], [{"url": None}], {"$numberLong": "x"}, {"$date": {"$numberLong": "1"}}, [["a"], "b"]),
]
PIECES: Final = (
    b"",
    b"\0",
    b"\xff",
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"1e999",
    b",",
    b"\xef\xbb\xbf",
)


def _mutate_value(chance: random.Random, container: Any) -> None:
    keys: list[Any] = list(cast("Any", container)) if isinstance(container, dict) else list(range(len(container)))
    if not keys:
        return
    key = chance.choice(keys)
    if isinstance(container[key], dict | list) and chance.random() < 0.5:
        _mutate_value(chance, container[key])
    elif chance.random() < 0.2:
        del container[key]
    else:
        container[key] = copy.deepcopy(chance.choice(VALUES))


def _mutate_bytes(chance: random.Random, record: bytes) -> bytes:
    start = chance.randrange(len(record) + 1)
    end = start + chance.choice((0, 0, 1, 1, 2, 10, 1000))
    return record[:start] + chance.choice(PIECES) * chance.choice((1, 1, 1, 3, 3000)) + record[end:]


def _fuzz(records: list[bytes], count: int, seed: int) -> int:
    """How many of so many mutated records are tasks."""
    chance = random.Random(seed)  # noqa: S311 a seed is to give the same records again; nothing here is secret
    readers = [mjbridge.normalizer(name) for name in (None, *plugins.names())]
    tasks = 0
    for _ in range(count):
        record = chance.choice(records)
        if chance.random() < 0.7:
            decoded = json.loads(record)
            for _ in range(chance.randint(1, 4)):
                _mutate_value(chance, decoded)
            record = json.dumps(decoded, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
        if chance.random() < 0.5:
            record = _mutate_bytes(chance, record)
        try:
            task = chance.choice(readers)(record)
        except MalformedRecord:
            continue
        except Exception as error:
            raise AssertionError(f"{type(error).__name__}: {error}: {record!r}") from error
        tasks += 1
        if record.isascii():
            assert decode(task.to_json()) == task, record
    return tasks


def test_nothing_but_malformed_record_comes_of_mutated_records() -> None:
    cases = [case for folder in sorted(FIXTURES.iterdir()) for case in record_cases(folder)]
    records = [record for case in cases for record in case.records]
    chunks = -(-RECORDS // CHUNK)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count() if chunks > 4 else 1, context) as pool:
        seeds = range(SEED, SEED + chunks)
        tasks = sum(pool.map(partial(_fuzz, records, CHUNK), seeds))
    assert RECORDS / 10 < tasks < chunks * CHUNK, "neither all nor nearly none of them are still records"
