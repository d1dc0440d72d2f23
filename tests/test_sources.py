"""Sources of records: any form and compression is cut into the same records, and what is broken hides no other."""

import bz2
import codecs
import csv
import gzip
import io
import json
import lzma
import os
import sys
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, cast

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from mjbridge import Issue, Reject, Task, records
from mjbridge.records import compression, encodings, sources, tabular, windows
from tests.processes import run
from tests.record_sources import LIMIT, lower_limit, read, told_ids

RECORDS: list[dict[str, Any]] = [
    {"id": str(number), "status": "SUCCESS", "imageUrl": "g", "buttons": [{"customId": f"b{number}", "label": "U1"}]}
    for number in range(1, 5)
]
LINES = "\n".join(map(json.dumps, RECORDS)).encode()
PRETTY = "\n".join(json.dumps(each, indent=2) for each in RECORDS).encode()
LIST = json.dumps(RECORDS).encode()
TABLE = b"id,status,imageUrl,buttons\r\n" + b"".join(
    f'{each["id"]},SUCCESS,g,"{json.dumps(each["buttons"]).replace(chr(34), chr(34) * 2)}"\r\n'.encode()
    for each in RECORDS
)
HEADER, *ROWS = TABLE.splitlines()
FORMS: dict[str, bytes] = {
    "lines": LINES,
    "lines of Windows": LINES.replace(b"\n", b"\r\n") + b"\r\n",
    "lines between blank ones": b"\n\n  \n" + LINES.replace(b"\n", b"\n\n \t\n") + b"\n\n",
    "a byte order mark": b"\xef\xbb\xbf" + LINES,
    "one behind the other": LINES.replace(b"\n", b""),
    "two in a line": LINES.replace(b"\n", b"", 1),
    "pretty, one behind the other": PRETTY,
    "lines, then a pretty list": LINES[: LINES.index(b"\n") + 1] + json.dumps(RECORDS[1:], indent=2).encode(),
    "pretty, then lines": PRETTY[: PRETTY.index(b"\n}") + 3] + LINES[LINES.index(b"\n") + 1 :],
    "a list": LIST,
    "a pretty list": json.dumps(RECORDS, indent=4).encode(),
    "a list a line": b"\n".join(json.dumps([each]).encode() for each in RECORDS),
    "a page": b'{"data": ' + LIST + b', "total": 4}',
    "a page in a page": b'{"success": true, "data": {"total": 4, "items": ' + LIST + b'}, "message": ""}',
    "a page of content": b'{"content": ' + LIST + b"}",
    "a page with a record a line": b'{"data": [\n' + LINES.replace(b"\n", b",\n") + b"\n]}\n",
    "a page of Windows with a record a line": b'{"data":\r\n[\r\n' + LINES.replace(b"\n", b"\r\n,\r\n") + b"\r\n]}\r\n",
    "a page a line": b"\n".join(b'{"list": [' + json.dumps(each).encode() + b"]}" for each in RECORDS),
    "CSV": TABLE,
    "CSV behind blank lines": b"\r\n \n" + TABLE,
    "CSV for Excel": b"sep=,\r\n" + TABLE,
    "CSV for Excel, by tabs": b'"SEP=\t"\n\n'
    + TABLE.replace(b",", b"\t", 3).replace(b",S", b"\tS").replace(b",g,", b"\tg\t"),
    "CSV, of joined files": b"\n".join([HEADER, *ROWS[:2], HEADER, ROWS[2], codecs.BOM_UTF8 + HEADER + b"\r", ROWS[3]]),
}
# With a byte order mark: Python writes one where the end is not named.
RECODED: dict[str, bytes] = {
    "UTF-16": LINES.decode().encode("utf-16"),
    "UTF-16, big end first": codecs.BOM_UTF16_BE + LINES.decode().encode("utf-16-be"),
    "UTF-32": LIST.decode().encode("utf-32"),
    "UTF-32, big end first": codecs.BOM_UTF32_BE + LIST.decode().encode("utf-32-be"),
    "a spreadsheet's CSV": TABLE.decode().encode("utf-16"),
}
COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "gzip, in two members": lambda data: gzip.compress(data[:100]) + gzip.compress(data[100:]),
    "bzip2": bz2.compress,
    "bzip2, in two streams": lambda data: bz2.compress(data[:100]) + bz2.compress(data[100:]),
    "xz": lzma.compress,
    "xz, in two streams": lambda data: lzma.compress(data[:100]) + lzma.compress(data[100:]),
    "xz, padded": lambda data: lzma.compress(data[:100]) + bytes(2048) + lzma.compress(data[100:]) + bytes(4),
    "zstd": zstandard.compress,
    "zstd, in two frames": lambda data: zstandard.compress(data[:100]) + zstandard.compress(data[100:]),
    "zstd, by pzstd": lambda data: b"\x50\x2a\x4d\x18\4\0\0\0size" + zstandard.compress(data),
}


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("form", FORMS | RECODED)
def test_any_form_in_any_compression_is_the_same_records(form: str, compression: str) -> None:
    document = COMPRESSIONS[compression]((FORMS | RECODED)[form])
    assert told_ids(document) == ["1", "2", "3", "4"]
    tasks = [item for item in read(document) if isinstance(item, Task)]
    assert [task.buttons[0].custom_id for task in tasks] == ["b1", "b2", "b3", "b4"]


@pytest.mark.parametrize("form", [form for form in FORMS if not form.startswith("CSV")])
def test_each_record_stands_where_its_offset_says(form: str) -> None:
    document = FORMS[form]
    for block in sources.blocks(document):
        for record, offset in zip(block.records, block.offsets, strict=True):
            assert isinstance(record, bytes)
            assert document[offset : offset + len(record)] == record


def test_a_source_is_bytes_a_path_an_open_file_or_records(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_bytes(LINES)
    expected = ["1", "2", "3", "4"]
    assert told_ids(path) == told_ids(str(path)) == expected
    with path.open("rb") as binary, path.open(encoding="utf-8") as text:
        assert told_ids(binary) == told_ids(text) == expected
        assert not binary.closed
    assert told_ids(RECORDS) == told_ids(map(json.dumps, RECORDS)) == told_ids(iter(LINES.splitlines())) == expected
    assert told_ids(RECORDS[0]) == ["1"]


@pytest.mark.parametrize("holder", [bytes, bytearray, memoryview])
def test_bytes_are_bytes_whatever_holds_them(holder: Callable[[bytes], bytes]) -> None:
    """A database's column often comes as a `memoryview`."""
    assert told_ids(holder(LINES)) == told_ids(list(map(holder, LINES.splitlines()))) == ["1", "2", "3", "4"]


def test_what_does_not_wait_for_more_is_no_source() -> None:
    """Nothing there yet would pass for the end, and what comes then would be lost without a word."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)

    class Waiting(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, _buffer: object, /) -> None:
            return None

    with os.fdopen(reading, "rb") as buffered, os.fdopen(writing, "wb", buffering=0) as pipe:
        pipe.write(LINES)
        text = io.TextIOWrapper(buffered)
        for source in (buffered, buffered.raw, text, Waiting()):
            with pytest.raises(BlockingIOError, match="set_blocking"):
                read(cast("IO[bytes]", source))
        text.detach()


LEFT = f"""
import gc, tracemalloc
from mjbridge import records

gc.disable()  # as it is while a command reads
tracemalloc.start()
left = []
for _ in range(3):
    for _ in range(50):
        list(records.read({TABLE!r}, "mjproxy"))
    left.append(tracemalloc.get_traced_memory()[0])
print(left[2] - left[1])
"""


def test_many_tables_leave_nothing_in_memory() -> None:
    """Not even what only a collector of cycles would find. In a process whose errors no test looks through."""
    assert int(run(sys.executable, "-c", LEFT, check=True).stdout) < 10_000


def test_records_that_come_one_by_one_are_read_one_by_one() -> None:
    def arriving() -> Iterator[dict[str, Any]]:
        yield RECORDS[0]
        raise AssertionError("nobody asked for the second")

    assert isinstance(next(records.read(arriving())), Task)


class Trickle:
    """An open file, as a pipe is: it gives a line at a time, and knows how many it has given."""

    def __init__(self, lines: list[bytes]) -> None:
        self._lines = iter(lines)
        self.given = 0

    def read(self, _size: int) -> bytes:
        self.given += 1
        return next(self._lines, b"")


@pytest.mark.parametrize(
    "lines",
    [
        [b"id,status\n", *(b"%d,SUCCESS\n" % number for number in range(1, 101))],
        (LINES + b"\n").splitlines(keepends=True) * 25,
    ],
    ids=["CSV", "lines"],
)
def test_what_a_pipe_has_given_is_read_before_it_is_asked_for_more(
    lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "BLOCK", 200)  # the look at its form takes no more
    pipe = Trickle(lines)
    found = [pipe.given for _ in records.read(cast("IO[bytes]", pipe), provider="mjproxy")]
    assert found[-50:] == list(range(len(lines) - 49, len(lines) + 1))


BAD = b'{"id": "2", "status'


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (b'{"id":"1"}\n' + BAD + b'\n{"id":"3"}\n', ["1", repr(BAD), "3"]),
        (b'{"id":"1"}\n{"id":"3"}\n' + BAD, ["1", "3", repr(BAD)]),
        (b'{"id": "1"}' + BAD + b'{"id": "3"}', ["1", repr(BAD), "3"]),
        (b'[{"id": "1"},' + BAD + b'{"id": "3"}, {"id": "4"}]', ["1", repr(BAD), "3", "4"]),
        (b'[{"id":"1"},{"id":"3"},\n' + BAD, ["1", "3", repr(BAD)]),
        (b'[{"id":"1"},{"id":"3"}', ["1", "3", "b''"]),
        (b'{"id":"1"}\n\0\0\0{"id":"3"}\n', ["1", repr(b"\0\0\0"), "3"]),
        (b'{"id":"1"}\n\0\0\0\n{"id":"3"}', ["1", repr(b"\0\0\0"), "3"]),
        (b'{"id":"1"}\n{"id":"\xff"}\n{"id":"3"}', ["1", repr(b'{"id":"\xff"}'), "3"]),
        (b'[{"id":"1"}, 7, "text", null, [2], {"id":"3"}]', ["1", "b'7'", "b'\"text\"'", "b'null'", "b'[2]'", "3"]),
        (b'[{"id":"1"}, {"colour": "red"}, {"id":"3"}]', ["1", repr(b'{"colour": "red"}'), "3"]),
        (b'{"id":"2",\n{"id":"1"}\n{"id":"3"}\n', [repr(b'{"id":"2",'), "1", "3"]),
        (b'{"data":[\n{"id":"1"}\n]}\n', ["1"]),
        (b'{"id":"1"}\n{\n{"id":"3"}\n{"id":"4"}\n', ["1", r"b'{\n'", "3", "4"]),
        (b'{"id":"1"}\n[\n{"id":"3"},\n{"id":"4"}\n', ["1", "3", "4", "b''"]),
        (b"<html>\n</html>", ["b'<html>'", "b'</html>'"]),
        (b"3", ["b'3'"]),
        (b"", []),
        (b"\n \n", []),
        (b"[]", []),
        (b'{"data": []}', []),
        (b'id;status\n1;SUCCESS\n2\n"3";SUCCESS\n\xff;\n', ["1", r"b'2\n'", "3", r"b'\xff;\n'"]),
        (b'id,state\n1,"open\n2,a\n"3","b\nb"\n', ["b'1,\"open\\n'", "2", "3"]),
        (b'id,state\n1,a\n2,"a"b\n3,"', ["1", "b'2,\"a\"b\\n'", "b'3,\"'"]),
        (b'id,state\n1,"\n' + b"2,a\n" * 40_000, ["b'1,\"\\n'", *["2"] * 40_000]),
    ],
)
def test_what_is_broken_is_a_reject_and_what_stands_around_it_is_read(document: bytes, told: list[str]) -> None:
    assert told_ids(document) == told


@pytest.mark.parametrize("depth", [100_000, 200_000])
def test_deep_nesting_is_a_reject(depth: int) -> None:
    deep = b'{"id":"2","properties":' + b"[" * depth + b"]" * depth + b"}"
    for document in (b'{"id":"1"}\n' + deep + b'\n{"id":"3"}', b'[{"id":"1"},' + deep + b',{"id":"3"}]'):
        first, reject, last = read(document)
        assert isinstance(first, Task)
        assert isinstance(reject, Reject)
        assert bytes(reject.record) == deep
        assert isinstance(last, Task)


def test_a_cell_may_be_as_long_as_a_record() -> None:
    """`csv` stops at 131,072 characters, unless all of the process is told otherwise: here nobody else is."""
    prompt = "x" * 1_000_000
    first, second = read(f"id,prompt\n1,{prompt}\n2,a\n".encode())
    assert isinstance(first, Task)
    assert isinstance(second, Task)
    assert (first.prompt, second.prompt) == (prompt, "a")
    assert csv.field_size_limit() == 131_072


@pytest.mark.parametrize("line", [b"2,%b\n", b'",",%b\n'])
def test_a_row_longer_than_any_record_costs_the_line_it_begins_in(line: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it is one cell, or a quote that nobody closes makes one row of all the lines behind it."""
    lower_limit(monkeypatch)
    count = 300
    first, *others, last = read(b'id,prompt\n1,"\n' + line % (b"x" * 10_000) * count + b"3,b\n")
    assert isinstance(first, Reject)
    assert bytes(first.record) == b'1,"\n'
    assert str(LIMIT) in first.reason
    assert len(others) == count
    assert isinstance(last, Task)


@pytest.mark.parametrize("before", [b"", b'2,"\n'])
def test_a_line_of_a_table_longer_than_any_record_is_one_reject(before: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """And never held, though a quote before it makes it a part of another row."""
    lower_limit(monkeypatch)
    size = 20 * LIMIT
    table = b"id,prompt\n1,a\n" + before + b'3,"' + b"x" * size + b"\n4,b\n"
    tracemalloc.start()
    first, *others, reject, last = read(io.BytesIO(table))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(first, Task)
    assert [bytes(each.record) for each in others if isinstance(each, Reject)] == list(filter(None, [before]))
    assert isinstance(reject, Reject)
    assert len(reject.record) == windows.FIRST_BYTES
    assert f"of {size + 3} bytes" in reject.reason
    assert table[reject.offset :].startswith(bytes(reject.record))
    assert isinstance(last, Task)
    assert last.id == "4"
    assert peak < 6 * LIMIT


@pytest.mark.parametrize(
    "form", [b"%b\n", b"[%b]", b'{"id": "0"}\n%b\n{"id": "2"}\n', b'[{"id": "0"}, %b, {"id": "2"}]']
)
def test_the_task_of_the_largest_record_is_read_again(form: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is nearly twice as large, for its prompt stands in its raw as well."""
    lower_limit(monkeypatch)
    record = b'{"id":"1","prompt":"%b"}'
    (task,) = read(record % (b"x" * (LIMIT - len(record) + len("%b"))))
    assert isinstance(task, Task)
    assert len(task.raw) == LIMIT
    (again,) = (item for item in read(form % task.to_json()) if isinstance(item, Task) and item.id == "1")
    assert again.to_json() == task.to_json()


def test_a_task_of_our_own_has_a_limit_too(monkeypatch: pytest.MonkeyPatch) -> None:
    lower_limit(monkeypatch)
    size = 5 * LIMIT
    for form in (b"%b\n", b"[%b]"):
        (reject,) = read(form % Task(id="1", prompt="x" * size).to_json())
        assert isinstance(reject, Reject)
        assert f"more than {4 * LIMIT}" in reject.reason
        assert len(reject.record) == windows.FIRST_BYTES


@pytest.mark.parametrize("size", [0.1, 1.1, 1.5, 1.9, 3])
@pytest.mark.parametrize("place", ["the first", "behind one", "behind a task that may be longer", "in a list"])
def test_a_record_is_too_large_wherever_it_stands(place: str, size: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much is held already when it comes."""
    lower_limit(monkeypatch)
    record, small = b'{"id":"1","prompt":"%b"}' % (b"x" * int(size * LIMIT)), b'{"id":"0"}'
    before = {
        "the first": b"",
        "behind one": small + b"\n",
        "behind a task that may be longer": Task(id="2", prompt="x" * int(3.5 * LIMIT)).to_json() + b"\n",
        "in a list": b"[" + small + b",",
    }[place]
    behind = b"," + small + b"]" if place == "in a list" else b"\n" + small + b"\n"
    items = read(before + record + behind)
    rejects = [item for item in items if isinstance(item, Reject)]
    assert [each.offset for each in rejects] == ([len(before)] if size > 1 else [])
    assert all(f"a record of {len(record)} bytes" in each.reason for each in rejects)
    assert len(items) == (2 if place == "the first" else 3)


@pytest.mark.parametrize("null", ["NULL", "null", r"\N"])
def test_sql_s_null_is_none_in_csv(null: str) -> None:
    """A row that is older than a column has it there."""
    issues: list[Issue] = []
    header = "mj_id\tstatus\tfail_reason\timage_url\tvideo_url\tbuttons\tfinish_time\n"
    row = "\t".join(["1", "SUCCESS", *[null] * 5])
    (task,) = records.read((header + row).encode(), on_issue=issues.append)
    assert isinstance(task, Task)
    assert (task.fail_reason, task.image_url, task.video_urls, task.finished_at) == (None, None, (), None)
    assert (json.loads(bytes(task.raw))["video_url"], issues) == (None, [])


def test_a_column_that_stands_twice_is_a_key_that_stands_twice() -> None:
    (task,) = read(b"id,status,id\n1,SUCCESS,2\n")
    assert isinstance(task, Task)
    assert (task.id, bytes(task.raw)) == ("2", b'{"id":"1","status":"SUCCESS","id":"2"}')


def test_of_a_key_that_stands_twice_the_last_counts_and_raw_holds_both() -> None:
    (task,) = read(b'{"id":"1","prompt":"a","prompt":"b"}')
    assert isinstance(task, Task)
    assert (task.prompt, bytes(task.raw)) == ("b", b'{"id":"1","prompt":"a","prompt":"b"}')


@pytest.mark.parametrize("name", [name for name in COMPRESSIONS if name != "plain"])
def test_a_compressed_file_that_is_cut_gives_what_is_whole_and_says_so(name: str) -> None:
    lines = b"".join(
        b'{"id":"%d","prompt":"%b"}\n' % (number, str(hash(str(number))).encode()) for number in range(50_000)
    )
    cut = COMPRESSIONS[name](lines)[:-200]
    *tasks, reject = read(cut)
    assert len(tasks) > 100 or "bzip2" in name
    assert all(isinstance(task, Task) for task in tasks)
    assert isinstance(reject, Reject)
    assert "damaged" in reject.reason
    assert lines[reject.offset :].startswith(bytes(reject.record))
    assert reject.number == len(tasks) + 1


@pytest.mark.parametrize("name", [name for name in COMPRESSIONS if name != "plain"])
def test_what_a_small_file_unpacks_to_comes_in_small_pieces(name: str) -> None:
    """Else a few kilobytes made for it would fill the memory."""
    content = b'{"id":"1"}\n' + bytes(80 * LIMIT)
    bomb = COMPRESSIONS[name](content)
    assert len(bomb) < len(content) / 500
    tracemalloc.start()
    sizes = list(map(len, compression.decompressed(io.BytesIO(bomb))))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(sizes) == len(content)
    assert max(sizes) <= windows.BLOCK
    assert peak < 60 * LIMIT


def test_half_a_character_costs_its_own_record_alone() -> None:
    lone = '{"id":"2","prompt":"\ud800"}'
    text = f'{{"id":"1","prompt":"\U0001f63a"}}\n{lone}\n{{"id":"3"}}\n'.encode("utf-16", "surrogatepass")
    first, reject, last = read(text)
    assert isinstance(first, Task)
    assert isinstance(last, Task)
    assert (first.prompt, last.id) == ("\U0001f63a", "3")
    assert isinstance(reject, Reject)
    assert bytes(reject.record) == lone.encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("end", [b"\x7b", b"\x00\x00\x11\x00"])
def test_a_text_that_goes_no_further_gives_what_is_whole_and_says_so(end: bytes) -> None:
    """A byte of a character alone, and what is none."""
    encoding = "utf-16" if len(end) == 1 else "utf-32"
    first, second, reject = read('{"id":"1"}\n{"id":"2"}\n{"id":'.encode(encoding) + end)
    assert isinstance(first, Task)
    assert isinstance(second, Task)
    assert isinstance(reject, Reject)
    assert bytes(reject.record) == b'{"id":'
    assert "damaged" in reject.reason


NO_STREAMS: dict[str, Callable[[bytes], bytes]] = {
    "garbage": lambda _: b"garbage",
    "a line end": lambda _: b"\n",
    "not only NULs": lambda _: bytes(7) + b"\n",
    "a wrong byte": lambda stream: b"\0" + stream[1:],
    "a cut stream": lambda stream: stream[:-9],
    "another compression": lambda stream: (bz2 if stream.startswith(b"\xfd") else lzma).compress(LINES),
}


@pytest.mark.parametrize("name", ["gzip", "bzip2", "xz", "zstd"])
@pytest.mark.parametrize("behind", NO_STREAMS)
def test_what_stands_behind_a_compressed_stream_and_is_no_other_is_told(name: str, behind: str) -> None:
    stream = COMPRESSIONS[name](LINES + b"\n")
    *tasks, reject = read(stream + NO_STREAMS[behind](stream))
    assert told_ids(stream) == [task.id for task in tasks[: len(RECORDS)] if isinstance(task, Task)]
    assert isinstance(reject, Reject)
    assert "damaged" in reject.reason


def test_a_reject_names_its_source_number_and_offset(tmp_path: Path) -> None:
    path = tmp_path / "export.json"
    path.write_bytes(b'[{"id":"1"}, 7]')
    _, reject = read(path)
    assert isinstance(reject, Reject)
    assert (reject.source, reject.number, reject.offset) == (str(path), 2, 13)
    assert str(reject).startswith(f"{path}: record 2 at byte 13: ")


@pytest.mark.parametrize(
    ("record", "key", "written"),
    [(b'{"a":\n1}', "record", {"a": 1}), (b"<html>", "text", "<html>"), (b"\xff\0", "base64", "/wA=")],
)
def test_a_reject_is_a_line_of_json_whatever_it_holds(record: bytes, key: str, written: object) -> None:
    (reject,) = read([record])
    assert isinstance(reject, Reject)
    line = reject.to_json()
    assert b"\n" not in line
    assert json.loads(line)[key] == written


def test_a_file_s_spans_hold_each_of_its_lines_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "records.jsonl"
    path.write_bytes(FORMS["lines between blank ones"] + BAD)
    whole = [pair for block in sources.blocks(path) for pair in zip(block.offsets, block.records, strict=True)]
    for size in (1, 7, 50, 10_000):
        monkeypatch.setattr(sources, "SPAN", size)
        spans = sources.spans(str(path))
        assert spans
        found = [block for span in spans for block in sources.blocks_of(span)]
        assert [pair for block in found for pair in zip(block.offsets, block.records, strict=True)] == whole


@pytest.mark.parametrize(
    "document",
    [
        b"sep=,\nid,status\n" + LINES,
        b" " + LINES.replace(b"\n", b"\n ") + b"\n" + LINES[:-1] + b'\n {"id": "9\n' + LINES,
        b" " + LINES + b"\n,\n",
        b"no record\n" * (windows.BLOCK // 10) + b"\n" + PRETTY,
        b"no record\n" * (windows.BLOCK // 10 - 50) + b"\n" + PRETTY,
    ],
    ids=["a header before lines", "lines that begin with a space", "a comma", "pretty behind the look", "within it"],
)
def test_a_file_is_read_by_spans_as_it_is_from_its_beginning(document: bytes, tmp_path: Path) -> None:
    """And from a pipe, however little that gives at a time: what it is, as much of it tells in any case."""

    class Pipe(io.BytesIO):
        def read1(self, count: int | None = -1, /) -> bytes:
            return super().read1(min(count or 0, 100))

    path = tmp_path / "records"
    path.write_bytes(document)
    whole = _records(sources.blocks(path))
    assert _records(sources.blocks(Pipe(document))) == whole
    spans = sources.spans(str(path))
    if spans:
        assert _records(block for span in spans for block in sources.blocks_of(span)) == whole


def _records(blocks: Iterable[windows.Block]) -> list[tuple[int, Any, str]]:
    return [(*pair, block.fault) for block in blocks for pair in zip(block.offsets, block.records, strict=True)]


def test_spans_inside_a_long_line_are_not_read_beyond_their_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else each of them would read all of the line."""
    path = tmp_path / "records.jsonl"
    path.write_bytes(LINES + b'\n{"id":"5","prompt":"' + b"x" * 100_000 + b'"}\n{"id":"6"}')
    monkeypatch.setattr(sources, "SPAN", 1000)
    monkeypatch.setattr(sources, "BLOCK", 500)
    spans = sources.spans(str(path))
    assert spans
    read: list[int] = []

    class Counted(io.BytesIO):
        def readline(self, size: int | None = -1, /) -> bytes:
            line = super().readline(size)
            read[-1] += len(line)
            return line

    content = path.read_bytes()

    def counted(_path: Path, _mode: str) -> Counted:
        return Counted(content)

    monkeypatch.setattr(Path, "open", counted)
    for span in spans:
        read.append(0)
        list(sources.blocks_of(span))
    # Each reads the byte before it too; one reads on, since the line begins in it.
    assert max(sorted(read)[:-1]) <= sources.SPAN + 1
    assert max(read) > 90_000


@pytest.mark.parametrize(
    "form", ["a list", "CSV", "CSV for Excel", "a byte order mark", "pretty, one behind the other", "UTF-16"]
)
def test_a_file_that_has_to_be_read_from_its_beginning_has_no_spans(form: str, tmp_path: Path) -> None:
    path = tmp_path / "records"
    path.write_bytes((FORMS | RECODED)[form])
    assert sources.spans(str(path)) is None


PIECES = st.lists(
    st.sampled_from(
        [
            *LINES.splitlines(),
            *FORMS.values(),
            *RECODED.values(),
            b"\n",
            b",",
            b"[",
            b"]",
            b"{",
            b"}",
            b'"',
            b"\\",
            b"\0",
            b"\xff",
        ]
    )
    | st.binary(max_size=8)
)


@settings(max_examples=300)
@given(PIECES, st.data())
def test_any_bytes_at_all_are_tasks_and_rejects_that_stand_in_them(pieces: list[bytes], data: st.DataObject) -> None:
    """Nothing else is raised, numbers have no gap, offsets do not go back, and no reject holds what is not there."""
    document = b"".join(pieces)
    if document:
        place = data.draw(st.integers(0, len(document) - 1))
        document = (
            document[:place] + data.draw(st.binary(max_size=2)) + document[place + data.draw(st.integers(0, 9)) :]
        )
    items = read(document)
    rejects = [(number, item) for number, item in enumerate(items, start=1) if isinstance(item, Reject)]
    assert all(item.number == number for number, item in rejects)
    assert [item.offset for _, item in rejects] == sorted(item.offset for _, item in rejects)
    # A row of a table is told as the object that it is.
    text = document.removeprefix(codecs.BOM_UTF8)
    is_table = tabular.delimiter(text[tabular.before_header(text) :].partition(b"\n")[0])
    if not is_table and not document.startswith((*compression.MAGICS, *encodings.MARKS)):
        assert all(document[item.offset :].startswith(bytes(item.record)) for _, item in rejects)
    json.loads(b"[" + b",".join(item.to_json() for _, item in rejects) + b"]")


@settings(max_examples=100)
@given(st.lists(st.sampled_from([*FORMS.values(), *RECODED.values()]), max_size=3), st.integers(1, 64))
def test_how_much_is_read_at_a_time_makes_no_difference(pieces: list[bytes], size: int) -> None:
    class Slow(io.BytesIO):
        def read1(self, count: int | None = -1, /) -> bytes:
            return super().read1(min(size, count) if count and count > 0 else size)

    document = b"\n".join(pieces)
    assert told_ids(Slow(document)) == told_ids(document)
