"""Format 1 by literal bytes: who verifies a record in ten years must come to the same ones."""

import hashlib
import json
import random
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.seal.chain import START, Value, link, row_digest, shorts, split

ROW: dict[str, Value] = {
    "attempt_id": "a1",
    "ordinal": 2,
    "detail": 'é "x"',
    "bytes": 0,
    "note": None,
    "ok": True,
}
ROW_BYTES = b'["step",{"attempt_id":"a1","bytes":0,"detail":"\\u00e9 \\"x\\"","ok":1,"ordinal":2}]'


def test_a_row_is_these_bytes() -> None:
    assert row_digest("step", ROW) == hashlib.sha256(ROW_BYTES).digest()


def test_a_link_is_these_bytes() -> None:
    one, other = row_digest("step", ROW), bytes(32)
    made = link(START, "line-1", 1, [one, other])
    told = bytes(32) + b'[1,"line-1",1,2]' + other + one
    assert made == hashlib.sha256(told).digest()
    assert link(made, "line-1", 2, []) == hashlib.sha256(made + b'[1,"line-1",2,0]').digest()


class _Kind(StrEnum):
    A = "a"


def test_an_enumeration_is_its_text() -> None:
    assert row_digest("t", {"kind": _Kind.A}) == row_digest("t", {"kind": "a"})


@pytest.mark.parametrize("value", [1.5, b"x", ["a"], {"a": 1}])
def test_other_values_are_refused(value: object) -> None:
    strange: Any = {"id": value}
    with pytest.raises(TypeError, match="integers and text"):
        row_digest("step", strange)


_VALUES = st.none() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=20)
_ROWS = st.dictionaries(st.text(min_size=1, max_size=8), _VALUES, max_size=6)


@given(_ROWS, _ROWS)
def test_rows_that_differ_have_other_digests(one: dict[str, Any], other: dict[str, Any]) -> None:
    def told(row: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in row.items() if value is not None}

    assert (row_digest("t", one) == row_digest("t", other)) is (told(one) == told(other))
    assert row_digest("t", one) != row_digest("u", one)


@given(st.text(min_size=1, max_size=8), _ROWS)
def test_any_json_encoder_comes_to_the_same(table: str, row: dict[str, Any]) -> None:
    told = {name: value for name, value in row.items() if value is not None}
    plain = json.dumps([table, told], sort_keys=True, separators=(",", ":"))
    assert row_digest(table, row) == hashlib.sha256(plain.encode("ascii")).digest()


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=8), st.randoms(use_true_random=False))
def test_the_order_within_a_link_does_not_matter(
    digests: list[bytes], chance: random.Random
) -> None:
    mixed = chance.sample(digests, len(digests))
    assert link(START, "line-1", 1, digests) == link(START, "line-1", 1, mixed)
    assert split(shorts(mixed)) == [digest[:8] for digest in sorted(digests)]
