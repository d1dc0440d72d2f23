"""The lenient readers: a table of wild values each."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from mjbridge import MalformedRecord, fields


@pytest.mark.parametrize(
    ("value", "percent"),
    [
        ("65%", 65),
        ("65", 65),
        (65, 65),
        (0.65, 65),
        (0.29, 29),
        ("0.65", 65),
        (1.0, 100),
        (1, 1),
        ("65.9%", 65),
        ("0.5%", 0),
        (" 12 % ", 12),
        ("-5%", 0),
        ("250%", 100),
        ("100%", 100),
        ("0%", 0),
        (0, 0),
        ("", None),
        (None, None),
        ("abc", None),
        ("Waiting to start", None),
        ("1e400", None),
        (float("nan"), None),
        (float("inf"), None),
        (10**400, None),
        (True, None),
        ([], None),
        ("１２%", None),
    ],
)
def test_progress_is_percent_or_none(value: object, percent: int | None) -> None:
    assert fields.progress(value) == percent


MOMENT = datetime(2024, 11, 3, 8, 15, 18, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (1730621718000, MOMENT),
        (1730621718, MOMENT),
        (1730621718000000, MOMENT),
        ("1730621718000", MOMENT),
        (1730621718.0, MOMENT),
        ("2024-11-03T08:15:18Z", MOMENT),
        ("2024-11-03 08:15:18", MOMENT),
        ("2024-11-03T16:15:18+08:00", MOMENT),
        (0, None),
        (-1, None),
        ("", None),
        (None, None),
        ("yesterday", None),
        (10**30, None),
        (253402300800, None),
        (253402300799999, None),
        (253402300800000, None),
        (253402300800000000, None),
        (True, None),
        ({}, None),
        ("0001-01-01T00:00:00+23:59", None),
    ],
)
def test_times_are_aware_utc_or_none(value: object, moment: datetime | None) -> None:
    found = fields.moment(value)
    assert found == moment
    assert found is None or found.utcoffset() == timedelta(0)


@pytest.mark.parametrize("moment", [MOMENT, datetime(1970, 1, 1, 0, 2, 3, tzinfo=UTC), None])
def test_milliseconds_read_back(moment: datetime | None) -> None:
    assert fields.moment(fields.milliseconds(moment)) == moment


def test_seconds_of_another_zone_are_the_same_moment() -> None:
    assert fields.seconds(MOMENT.astimezone(timezone(timedelta(hours=8)))) == 1730621718


@pytest.mark.parametrize(
    ("value", "urls"),
    [
        (["a", "b"], ("a", "b")),
        ([{"url": "a", "thumbnail": "t"}, {"url": "b"}], ("a", "b")),
        ([{"url": ["a", "b"]}], ("a", "b")),
        ("a", ("a",)),
        ({"url": "a"}, ("a",)),
        (["a", "a", "", None, 3, {}, {"url": None}], ("a",)),
        (None, ()),
        ([], ()),
        (3, ()),
        ('["a"', ()),
        (["a", ' {"url": "b"', '"c', "null", " "], ("a",)),
        ("null.png", ("null.png",)),
    ],
)
def test_addresses_come_as_texts_or_objects(value: object, urls: tuple[str, ...]) -> None:
    assert fields.urls(value) == urls


def test_a_grid_is_never_among_its_singles_and_a_single_alone_is_the_picture() -> None:
    assert fields.pictures("grid", ("grid", "a", "b")) == ("grid", ("a", "b"))
    assert fields.pictures(None, ("a",)) == ("a", ())
    assert fields.pictures("", ("a", "b")) == (None, ("a", "b"))
    assert fields.pictures("a", ("a",)) == ("a", ())


def test_buttons_come_in_rows_and_those_that_cannot_be_pressed_are_left_out() -> None:
    rows = [[{"customId": "x", "label": None, "type": "2"}], [{"label": "no id"}, "nonsense", None], {"customId": 7}]
    found = fields.buttons(fields.wire_buttons(rows))
    assert [(button.custom_id, button.label, button.type) for button in found] == [("x", "", 2), ("7", "", None)]


@pytest.mark.parametrize(
    ("answer", "texts"),
    [
        ("1️⃣ a cat --ar 5:4\n\n2️⃣ a dog", ("a cat --ar 5:4", "a dog")),
        ("a cat\r\na dog\r\n", ("a cat", "a dog")),
        ("## Important tokens\n**cat**\n## Shortened prompts\n1️⃣ cat", ("cat",)),
        ("", ()),
        (None, ()),
    ],
)
def test_suggestions_are_numbered_or_a_line_each(answer: str | None, texts: tuple[str, ...]) -> None:
    assert fields.suggestions(answer) == texts
    assert fields.suggestions(fields.join_suggestions(texts)) == texts


@pytest.mark.parametrize("document", [b"", b"[]", b"null", b"3", b'"text"', b"{", b'{"id": "\xff"}', b"[" * 100_000])
def test_what_is_no_object_is_malformed(document: bytes) -> None:
    with pytest.raises(MalformedRecord):
        fields.decode(document)


def test_a_byte_order_mark_is_no_part_of_a_record() -> None:
    assert fields.decode(b'\xef\xbb\xbf{"id": "1"}') == {"id": "1"}


@pytest.mark.parametrize(
    ("value", "text"),
    [("a", "a"), ("", None), (7, "7"), (2**70, str(2**70)), (True, None), (None, None), ([], None)],
)
def test_text_is_text_or_a_number(value: Any, text: str | None) -> None:
    assert fields.text(value) == text


def test_a_number_of_more_digits_than_python_writes_is_no_text() -> None:
    assert fields.text(10**5000) is None
