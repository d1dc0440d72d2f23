"""Records as no vendor should write them, for property tests."""

import copy
from collections.abc import Sequence
from typing import Any, cast

from hypothesis import strategies as st

JSON_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["", "0", "100%", "-5%", "abc", "0.65", "SUCCESS", "2026-11-22T10:00:00Z", "1e400", "１２"])
)
JSON_VALUES = st.recursive(
    JSON_SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["url", "customId", "data", "id", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@st.composite
def mutated(draw: st.DrawFn, records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One of the records with up to four of its values replaced or taken out, at any depth."""
    record: dict[str, Any] = copy.deepcopy(draw(st.sampled_from(list(records))))
    for _ in range(draw(st.integers(1, 4))):
        _mutate(draw, record)
    return record


def _mutate(draw: st.DrawFn, container: Any) -> None:
    is_object = isinstance(container, dict)
    keys: list[Any] = list(cast("Any", container)) if is_object else list(range(len(container)))
    if not keys:
        return
    key = draw(st.sampled_from(keys))
    if isinstance(container[key], dict | list) and draw(st.booleans()):
        _mutate(draw, container[key])
    elif is_object and draw(st.booleans()):
        del container[key]
    else:
        container[key] = draw(JSON_VALUES)
