"""Keys and scans told apart: nothing is both, nothing is neither."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.dashboard.scanner import (
    GAP_S,
    MAX_LENGTH,
    MIN_LENGTH,
    MIN_TORN,
    Pressed,
    Scan,
    ScanFilter,
    Torn,
    cleaned,
)

Given = list[Pressed[str] | Scan | Torn]
IMEI = "866758041234567"


def typed(text: str, gap_s: float, scans: ScanFilter[str], start_s: float = 100.0) -> Given:
    given: Given = []
    for index, char in enumerate(text):
        given += scans.feed(char, char, start_s + index * gap_s)
    return given


def test_a_scan_is_one_scan_and_no_key() -> None:
    assert typed(IMEI + "\r", 0.002, ScanFilter()) == [Scan(IMEI)]


def test_upper_and_lower_case_are_kept() -> None:
    assert typed("MPY23aBc\r", 0.002, ScanFilter()) == [Scan("MPY23aBc")]


@pytest.mark.parametrize("prefix", ["~", "\x02", "\x1d~", "~~ "])
def test_a_prefix_is_not_part_of_the_scan(prefix: str) -> None:
    assert typed(f"{prefix}{IMEI}\r", 0.002, ScanFilter()) == [Scan(IMEI)]


def test_trailing_control_characters_are_not_part_of_the_scan() -> None:
    assert typed(f"{IMEI}\x03\t\r", 0.002, ScanFilter()) == [Scan(IMEI)]


def test_cr_and_lf_end_one_scan_once() -> None:
    assert typed(f"{IMEI}\r\n", 0.002, ScanFilter()) == [Scan(IMEI)]


def test_enter_of_a_person_after_a_scan_is_a_key() -> None:
    scans: ScanFilter[str] = ScanFilter()
    assert typed(f"{IMEI}\r", 0.002, scans) == [Scan(IMEI)]
    assert scans.feed("\r", "\r", 200.0) == [Pressed("\r")]


def test_a_single_key_waits_no_longer_than_the_gap() -> None:
    scans: ScanFilter[str] = ScanFilter()
    assert scans.feed("r", "r", 10.0) == []
    assert scans.due_s == 10.0 + GAP_S
    assert scans.tick(10.0 + GAP_S / 2) == []
    assert scans.tick(10.0 + GAP_S) == [Pressed("r")]
    assert scans.due_s is None


def test_a_key_without_a_character_does_not_wait_and_keeps_its_turn() -> None:
    scans: ScanFilter[str] = ScanFilter()
    assert scans.feed("up", "", 10.0) == [Pressed("up")]
    scans.feed("r", "r", 10.1)
    assert scans.feed("down", "", 10.11) == [Pressed("r"), Pressed("down")]


def test_enter_of_a_person_does_not_wait() -> None:
    assert ScanFilter[str]().feed("\r", "\r", 10.0) == [Pressed("\r")]


def test_a_few_quick_keys_and_enter_are_keys() -> None:
    for keys in ("r\r", "rr\r"):
        assert typed(keys, 0.005, ScanFilter()) == [Pressed(char) for char in keys]


@pytest.mark.parametrize("code", ["417", "rxo", "W-12"])
def test_a_short_code_is_a_scan_and_no_hot_key(code: str) -> None:
    assert typed(f"{code}\r", 0.002, ScanFilter()) == [Scan(code)]


def test_a_few_keys_hit_together_are_keys() -> None:
    scans: ScanFilter[str] = ScanFilter()
    assert typed("rx7", 0.005, scans) == []
    assert scans.tick(200.0) == [Pressed(char) for char in "rx7"]


def test_a_slow_typist_gives_keys_only() -> None:
    scans: ScanFilter[str] = ScanFilter()
    given = typed("rxoalh1\r", 0.05, scans)
    assert given == [Pressed(char) for char in "rxoalh1\r"]


def test_a_scan_without_its_enter_is_torn_and_no_key() -> None:
    scans: ScanFilter[str] = ScanFilter()
    assert typed("rxoalh", 0.002, scans) == []
    assert scans.tick(200.0) == [Torn("rxoalh")]


def test_a_key_held_down_is_a_key() -> None:
    scans: ScanFilter[str] = ScanFilter()
    given = typed("x" * 60, 0.025, scans)
    given += scans.tick(200.0)
    assert given == [Pressed("x")] * 60


def test_a_scan_that_begins_with_zeros_is_a_scan() -> None:
    assert typed("0000000000123\r", 0.002, ScanFilter()) == [Scan("0000000000123")]


def test_more_than_any_scanner_sends_is_bounded_and_no_key() -> None:
    scans: ScanFilter[str] = ScanFilter()
    given = typed("rx" * 5000 + "\r", 0.001, scans)
    assert given == [Torn("rx" * (MAX_LENGTH // 2))]


def test_cleaned_keeps_what_is_inside() -> None:
    assert cleaned("\x02~ ab~c D\x03 \t") == "ab~c D"


# --- any interleaving -------------------------------------------------------------------------

_CHARS = st.sampled_from(["", "\r", "\n", "~", "\x02", "\t", " ", "r", "x", "7", "A", "é"])
_GAPS = st.sampled_from([0.0, 0.002, 0.025, GAP_S, 0.031, 0.5])


@given(st.lists(st.tuples(_CHARS, _GAPS), max_size=80))
def test_no_key_is_lost_and_none_is_both(presses: list[tuple[str, float]]) -> None:
    """Every press is given as a key in its turn, or lies between the keys within a scan."""
    scans: ScanFilter[int] = ScanFilter()
    at_s, given = 0.0, list[Pressed[int] | Scan | Torn]()
    for number, (char, gap_s) in enumerate(presses):
        at_s += gap_s
        given += scans.feed(number, char, at_s)
    given += scans.tick(at_s + 1)
    assert scans.due_s is None

    expected = 0
    for index, item in enumerate(given):
        if isinstance(item, Pressed):
            assert item.key >= expected
            skipped = range(expected, item.key)
            expected = item.key + 1
            # An end of line may follow a scan and belong to it; nothing else is ever swallowed.
            before = given[index - 1] if index else None
            assert not skipped or isinstance(before, Scan | Torn)
        else:
            rest = (each.key for each in given[index + 1 :] if isinstance(each, Pressed))
            end = next(rest, len(presses))
            inside = [presses[number][0] for number in range(expected, end)]
            assert len(inside) >= (MIN_LENGTH if isinstance(item, Scan) else MIN_TORN)
            assert item.text in cleaned(inside)
    if not given or isinstance(given[-1], Pressed):
        assert expected == len(presses)


@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=125), min_size=MIN_LENGTH, max_size=60)
)
def test_whatever_a_scanner_sends_is_no_hot_key(code: str) -> None:
    scans: ScanFilter[str] = ScanFilter()
    given = typed(code + "\r", 0.003, scans)
    if len(set(code[:24])) > 1:
        assert given == [Scan(code)]


@given(st.lists(st.tuples(st.sampled_from("rxoalh17\r"), st.floats(GAP_S, 2.0)), max_size=40))
def test_whatever_a_person_types_is_keys(presses: list[tuple[str, float]]) -> None:
    scans: ScanFilter[str] = ScanFilter()
    at_s, given = 0.0, list[Pressed[str] | Scan | Torn]()
    for char, gap_s in presses:
        at_s += gap_s + 1e-6
        given += scans.feed(char, char, at_s)
    given += scans.tick(at_s + GAP_S + 1e-6)
    assert given == [Pressed(char) for char, _ in presses]
