"""Pages, and what is broken or too large: every record that is whole comes out, at a cost that is bounded."""

import io
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mjbridge import Reject, Task, records
from mjbridge.records import brackets, documents, pages, salvage, windows
from tests.record_sources import LIMIT, lower_limit, read, told_ids

OPEN = b'{"id":"1","x":['
WHOLE = b'{"id":"2","status":"SUCCESS"}'


@pytest.mark.parametrize(
    "text",
    [
        (OPEN * 30 + WHOLE) * 50,
        (OPEN * 30 + WHOLE) * 50 + b"}",
        (OPEN * 30 + b'{"id":"3",!}' + WHOLE) * 50,
        OPEN * 10_000,
        b'{"id":"1","x":' * 900 + b"!" + b"}" * 900,
    ],
)
def test_a_text_made_to_be_searched_again_and_again_is_searched_a_few_times(
    text: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed: list[int] = []

    def closing(data: bytes, position: int) -> int:
        followed.append(len(data) - position)
        return brackets.closing(data, position)

    for module in (documents, pages, salvage):
        monkeypatch.setattr(module, "closing", closing)
    items = read([text])
    assert 0 < sum(followed) < 50 * len(text)
    seen = b"".join(bytes(item.raw if isinstance(item, Task) else item.record) for item in items)
    assert seen in (text, text.removesuffix(b"}"))


@pytest.mark.parametrize("broken", [b'{"id":"1","x":[', b'{"id":"1","prompt":"a', b'{"id":"1","x":{]'])
@pytest.mark.parametrize("between", [b"", b",\n", b","])
@pytest.mark.parametrize("size", [10, 3000])
def test_records_are_found_among_any_number_of_broken_ones(broken: bytes, between: bytes, size: int) -> None:
    whole = [b'{"id":"%d","prompt":"%b"}' % (number, b"x" * size) for number in range(400)]
    told = told_ids([between.join(broken + between + each for each in whole)])
    assert told[1::2] == [str(number) for number in range(400)]


@pytest.mark.parametrize(
    ("around", "cut"),
    [
        (b"[", b'{"id":"1","prompt":"a'),
        (b"[", b'{"id":"1","sta'),
        (b"[", b'{"id":"1","buttons":[{"label":"U'),
        (b"", b'# dump\n[{"id":"1","sta'),
    ],
)
def test_what_is_no_record_is_told_before_much_more_is_read(around: bytes, cut: bytes) -> None:
    """Or each of them would cost as much as the largest record of all."""
    consumed = 0

    def pieces() -> Iterator[bytes]:
        nonlocal consumed
        yield around + cut
        for number in range(2, 3000):
            consumed += 1
            yield b',{"id":"%d","prompt":"%b"}' % (number, b"x" * 1000)

    class Counted(io.RawIOBase):
        def __init__(self) -> None:
            self._pieces = pieces()

        def readable(self) -> bool:
            return True

        def read(self, _size: int = -1, /) -> bytes:
            return next(self._pieces, b"")

    found = iter(records.read(Counted(), "mjproxy"))
    reject = next(found)
    assert isinstance(reject, Reject)
    assert bytes(reject.record) == cut + b","
    assert consumed * 1000 < 4 * windows.BLOCK
    assert [task.id for task in found if isinstance(task, Task)] == [str(number) for number in range(2, 3000)]


VENDORS = (
    b'{"id":"%d","prompt":"a, b","progress":50,"imageUrl":"https://a.b/c","seed":null}',
    b'{"code":1,"description":"a, b","id":"%d","progress":50,"imageUrl":"https://a.b/c"}',
    b'{"_id":"%d","Prompt":"a, b","Progress":"50%%","ImageUrl":"https://a.b/c","Seed":null}',
)


@given(
    st.lists(
        st.tuples(st.sampled_from(["", "head", "end"]), st.integers(0, 99), st.sampled_from(VENDORS)),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from([b"[%b]", b'{"data":[%b],"total":9}', b'{"code":1,"data":{"items":[%b]}}', b"%b"]),
    st.sampled_from([b",", b",\n"]),
)
def test_records_around_those_that_lost_a_part_come_out(
    cuts: list[tuple[str, int, bytes]], frame: bytes, between: bytes
) -> None:
    """Of lists and of pages, of one vendor or of several."""
    written: list[bytes] = []
    for number, (kind, seed, vendor) in enumerate(cuts):
        record = vendor % number
        place = 1 + seed % (len(record) - 2)
        written.append({"": record, "head": record[place:], "end": record[:place]}[kind])
    told = set(told_ids(frame % between.join(written)))
    assert {str(number) for number, (kind, *_) in enumerate(cuts) if not kind} <= told


@pytest.mark.parametrize(
    "page",
    [
        b'{"message":"say "hi"","data":[%b]}',
        b'{"success":tru e,"data":[%b]}',
        b'{"message":"a\nb","data":{"total":2,"items":[%b]}}',
        b'{"data":[<html>,%b]}',
        b'{"data":[,%b]}',
        b'{"data":["a"b,%b]}',
        b'{"content":[\x00%b]}',
        b'{"data":{"items":["x":1},%b]}}',
    ],
)
@pytest.mark.parametrize("filler", [b"x", b"x" * windows.BLOCK])
def test_a_page_that_is_broken_before_its_first_record_gives_its_records_and_at_most_one_reject(
    page: bytes, filler: bytes
) -> None:
    document = page % b'{"id":"1"},{"id":"2","prompt":"%b"}' % filler
    for items in read(document), read([document]):
        assert [item.id for item in items if isinstance(item, Task)] == ["1", "2"]
        assert len(items) <= 3


def test_a_list_of_texts_beside_a_broken_value_is_no_page() -> None:
    (reject,) = read(b'{"prompt":"say "hi"","data":["a","b"],"id":"5"}')
    assert isinstance(reject, Reject)


def test_a_line_of_json_is_no_table_s_header() -> None:
    head, told, end = read(b'"id":"0","x":1},{"id":"1"},{"x":1,"id')
    assert isinstance(head, Reject)
    assert isinstance(told, Task)
    assert isinstance(end, Reject)


INDENTED = json.dumps([{"id": str(number), "buttons": [{"label": "U1"}]} for number in range(50)], indent=2).encode()


@pytest.mark.parametrize(
    ("head", "dropped", "first"),
    [
        (b"HTTP/1.1 200 OK\ncontent-type: application/json\n\n", 0, 0),
        (b"# dump\n", 0, 0),
        (b"null\n", 2, 0),
        (b"", INDENTED.index(b'"label"'), 1),
        (b"", INDENTED.index(b'U1"'), 1),
        (b"", INDENTED.index(b'"id": "7"'), 8),
    ],
)
def test_an_indented_document_is_found_behind_what_is_none(head: bytes, dropped: int, first: int) -> None:
    """As the later parts of a file that was split, or the answer that `curl -i` keeps."""
    reject, *tasks = read(head + INDENTED[dropped:])
    assert isinstance(reject, Reject)
    assert [task.id for task in tasks if isinstance(task, Task)] == [str(number) for number in range(first, 50)]
    assert len(tasks) == 50 - first


def test_a_page_that_is_cut_says_so_and_gives_the_records_before() -> None:
    first, second, cut = read(b'{"total":2,"data":[{"id":"1"},{"id":"2"}')
    assert isinstance(first, Task)
    assert isinstance(second, Task)
    assert isinstance(cut, Reject)
    assert cut.reason == "the file is cut: its list does not end"
    assert (cut.number, cut.offset) == (3, 40)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('a":,[]{}() \\\n', max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", '"\\']), inner),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.sampled_from("xyz"), JSON_VALUES), max_size=5), st.sampled_from([None, 1]))
def test_no_record_that_is_whole_is_taken_for_a_broken_one(values: list[dict[str, Any]], indent: int | None) -> None:
    """Wherever the window ends that it is seen in."""
    listed = [{"id": str(number), **value, "finishTime": 1} for number, value in enumerate(values)]
    document = json.dumps(listed, indent=indent).replace('"finishTime": 1', '"finishTime": ISODate("2024-05-01")')
    window = windows.Window("", (document[place : place + 1].encode() for place in range(len(document))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(documents, "BLOCK", 1)
        found = [record for block in documents.values(window) for record in block.records]
    assert told_ids(found) == [each["id"] for each in listed]


@pytest.mark.parametrize("filler", [b"x" * 100, b'{\\"id\\":', b"]}"])
@pytest.mark.parametrize("frame", [b'{"id":"1"}\n%b\n{"id":"3"}\n', b'[{"id":"1"},%b,{"id":"3"}]'])
@pytest.mark.parametrize("record", [b'{"id":"2","prompt":"%b"}', b'"%b"', b'{"id":"2","seen":[["%b"]]}'])
def test_a_record_too_large_is_a_reject_with_its_size_and_its_beginning(
    record: bytes, frame: bytes, filler: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    lower_limit(monkeypatch)
    large = record % (filler * (LIMIT * 8 // len(filler)))
    tracemalloc.start()
    first, reject, last = read(io.BytesIO(frame % large))
    peak = tracemalloc.get_traced_memory()[1] - len(large)
    tracemalloc.stop()
    assert isinstance(first, Task)
    assert isinstance(last, Task)
    assert isinstance(reject, Reject)
    assert str(len(large)) in reject.reason
    assert bytes(reject.record) == large[: len(reject.record)]
    assert peak < 6 * LIMIT


def test_a_list_that_lost_a_bracket_early_still_gives_all_that_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    lower_limit(monkeypatch)
    many = b",\n".join(b'{"id": "%d", "prompt": "%b"}' % (number, b"x" * 10_000) for number in range(3000))
    items = read(b"[" + many.replace(b'"}', b'"', 1) + b"]")
    assert [type(item) for item in items].count(Task) >= 2998
    assert sum(isinstance(item, Reject) for item in items) == 1


def test_a_page_larger_than_any_record_is_entered(monkeypatch: pytest.MonkeyPatch) -> None:
    lower_limit(monkeypatch)
    many = b",".join(b'{"id":"%d","prompt":"%b"}' % (number, b"x" * 10_000) for number in range(3000))
    page = b'{"success":true,"message":"","data":{"total":3000,"items":[' + many + b']},"more":[{"a":1}]}'
    assert len(page) > LIMIT
    assert told_ids(page) == [str(number) for number in range(3000)]


@pytest.mark.parametrize("filler", [b"x", b"x" * windows.BLOCK])
@pytest.mark.parametrize(
    ("page", "told"),
    [
        (b'{"items":[],"data":[%(1)b]}', "1"),
        (b'{"data":[%(1)b,%(2)b],"total":3,"items":[%(3)b]}', "123"),
        (b'{"content":[%(1)b],"list":{"total":1,"items":[%(2)b],"data":[%(3)b]},"ok":true}', "123"),
        (b'{"items":[%(1)b],"data":%(2)b}', "12"),
        (b'{"data":%(1)b,"items":[%(2)b]}', "12"),
        (b'{"data":{"items":[],"page":{"size":0}},"content":["a","b"],"list":[%(1)b]}', "1"),
        (b'{"data":[%(1)b],"a key":"]}","\\u0061\\"":[{"id":"9"}],"page":{"size":1}, "data":[%(2)b]}', "12"),
        (b'{"meta":{"a":[{"b":[[["]"]]]}]},"data":[%(1)b,%(2)b]}', "12"),
        (b'[{"data":[%(1)b],"items":[%(2)b]},%(3)b]', "123"),
        (b'{"data":[%(1)b],"items":[%(2)b]}\n{"items":[%(3)b]}', "123"),
    ],
)
def test_each_record_of_each_list_of_a_page_is_read(page: bytes, told: str, filler: bytes) -> None:
    """In whatever order they are, whatever stands between them, and whether the page is longer than a block or not."""
    written = {b"%d" % number: b'{"id":"%d","prompt":"%b"}' % (number, filler) for number in (1, 2, 3)}
    assert told_ids(page % written) == list(told)


def test_a_long_page_that_lost_its_end_hides_nothing_behind_it() -> None:
    many = b",".join(b'{"id":"%d","prompt":"%b"}' % (number, b"x" * 10_000) for number in range(60))
    *ids, end = told_ids(b'{"data":[%b]\n{"data":[{"id":"60"}]}\n{"id":"61"}' % many)
    assert ids == [str(number) for number in range(62)]
    assert end == "b''"


@pytest.mark.parametrize("before", [b'"page":1', b'"meta":{"page":[1]}', b'"items":[]', b'"data":{"id":"x"}'])
def test_a_page_larger_than_any_record_is_entered_whatever_stands_before_its_list(
    before: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    lower_limit(monkeypatch)
    many = b",".join(b'{"id":"%d","prompt":"%b"}' % (number, b"x" * 10_000) for number in range(300))
    told = ["x"] if b'"x"' in before else []
    assert told_ids(b'{"ok":true,%b,"list":[%b]}' % (before, many)) == told + [str(number) for number in range(300)]


def test_a_page_s_value_too_large_to_be_read_is_a_reject_and_the_lists_around_it_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lower_limit(monkeypatch)
    page = b'{"data":[{"id":"1"}],"more":{"a":["%b"]},"list":[{"id":"2"}]}' % (b"x" * 4 * LIMIT)
    first, reject, last = read(page)
    assert isinstance(first, Task)
    assert isinstance(reject, Reject)
    assert str(4 * LIMIT + 17) in reject.reason
    assert isinstance(last, Task)
