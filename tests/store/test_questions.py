"""What goes wrong most, what has no end; every attempt that meets all conditions, in a stream."""

from itertools import islice
from typing import Any

import pytest

from station.model import Outcome
from station.store import records
from station.store.queries import conditions, each_attempt, find_attempts
from station.store.questions import open_attempts, pareto, pareto_question, without_end
from station.store.scope import LAST_SHIFT, Scope
from tests.store.made import NEW, OLD, Line, line
from tests.store.samples import NOON_US, plan

PASS, FAIL = Outcome.PASS, Outcome.FAIL


# --- pareto -----------------------------------------------------------------------------------


def troubles(made: Line) -> None:
    for unit, code in ((1, "P110"), (1, "P110"), (2, "P110"), (3, "D206")):
        made.tried(unit, FAIL, code=code, slot=f"A{unit}", started_utc_us=NOON_US + unit)
    made.tried(3, Outcome.ERROR, code="S501")
    made.tried(4, FAIL, code="D206", purpose="golden")
    made.tried(5, PASS)
    made.tried(6, None)


def test_codes_by_how_often_with_their_share(url: str) -> None:
    with line(url) as made:
        troubles(made)
    found = list(pareto(url, Scope()))
    assert [(one.code, one.attempts, one.units) for one in found] == [
        ("P110", 3, 2),
        ("D206", 1, 1),
        ("S501", 1, 1),
    ]
    assert [str(one.share) for one in found] == ["60.0 %", "20.0 %", "20.0 %"]
    assert [one.headline for one in found][:1] == ["HEADLINE P110"]
    assert [one.outcome for one in found] == [FAIL, FAIL, Outcome.ERROR]


def test_pareto_of_a_part(url: str) -> None:
    with line(url) as made:
        troubles(made)
    (one,) = pareto(url, Scope(slot="A3", since_utc_us=NOON_US + 1))
    assert (one.code, one.attempts, one.of_attempts) == ("D206", 1, 1)
    assert list(pareto(url, Scope(slot="B1"))) == []
    (one,) = pareto(url, Scope(since_utc_us=NOON_US + 1, until_utc_us=NOON_US + 3))
    assert (one.code, one.attempts) == ("P110", 3)


@pytest.mark.parametrize(
    ("scope", "index"),
    [
        (Scope(), "ix_attempt_closed_failure_code"),
        (Scope(since_utc_us=1), "ix_attempt_opened_started_utc_us"),
        (Scope(slot="A1", since_utc_us=1), "ix_attempt_opened_slot_started_utc_us"),
        (Scope(operator="maria"), "ix_attempt_opened_operator_started_utc_us"),
        (Scope(lot="PO-1"), "ix_attempt_opened_lot"),
        (Scope(shift=LAST_SHIFT), "ix_attempt_opened_shift_id"),
    ],
)
@pytest.mark.sqlite
def test_pareto_is_found_by_an_index(url: str, scope: Scope, index: str) -> None:
    assert index in plan(url, pareto_question(scope))[1]


# --- open -------------------------------------------------------------------------------------


def test_attempts_without_an_end(url: str) -> None:
    with line(url) as made:
        made.tried(1, PASS)
        left = [made.tried(2, None, slot="A2"), made.tried(None, None, slot="A3")]
    found = list(open_attempts(url, Scope()))
    assert [one.opened.attempt_id for one in found] == left
    assert [one.opened.slot for one in open_attempts(url, Scope(slot="A3"))] == ["A3"]


@pytest.mark.sqlite
def test_they_are_found_by_keys_alone(url: str) -> None:
    steps = plan(url, records.newest(without_end(), None))
    scans = [step for step in steps if "SCAN" in step]
    assert scans == ["SCAN any_opened USING COVERING INDEX ix_attempt_opened_started_utc_us"]


# --- all conditions ---------------------------------------------------------------------------


@pytest.fixture
def shift(url: str) -> str:
    """Five attempts; returns the id of the shift in which the second was made."""
    with line(url) as made:
        shift = made.shift("maria")
        made.tried(1, PASS, package=OLD, lot="PO-1")
        made.tried(2, FAIL, code="D206", operator="maria", shift_id=shift)
        made.tried(3, FAIL, code="P110", started_utc_us=NOON_US + 1, station="line-2")
        made.tried(4, Outcome.BLOCKED, code="D206", lot="PO-2")
        made.tried(5, None)
    return shift


@pytest.mark.parametrize(
    ("wanted", "units"),
    [
        ({}, [1, 2, 3, 4, 5]),
        ({"operator": "maria"}, [2]),
        ({"lot": "PO-1"}, [1]),
        ({"lot": "PO"}, []),
        ({"shift": LAST_SHIFT}, [2]),
        ({"outcome": FAIL}, [2, 3]),
        ({"outcome": Outcome.PASS}, [1]),
        ({"code": "D206"}, [2, 4]),
        ({"code": "d206", "outcome": FAIL}, [2]),
        ({"until_utc_us": NOON_US + 1}, [1, 2, 4, 5]),
        ({"since_utc_us": NOON_US + 1, "until_utc_us": NOON_US + 2}, [3]),
        ({"station": "line-2"}, [3]),
        ({"campaign_id": "none"}, []),
        ({"package": "R05"}, [1]),
        ({"limit": 2}, [4, 5]),
        ({"code": "D206", "limit": 1}, [4]),
    ],
)
def test_attempts_that_meet_all(
    url: str, shift: str, wanted: dict[str, Any], units: list[int]
) -> None:
    assert shift
    found = [int((one.opened.unit.imei or "")[-4:]) for one in find_attempts(url, **wanted)]
    assert found == units
    if "limit" not in wanted:
        assert list(each_attempt(url, **wanted)) == find_attempts(url, **wanted)


def test_a_shift_by_the_beginning_of_its_id(url: str, shift: str) -> None:
    for wanted in (shift, shift[:13], shift.upper()):
        assert [one.opened.shift_id for one in each_attempt(url, shift=wanted)] == [shift]
    assert list(each_attempt(url, shift="f" * 8)) == []


def test_a_stream_reads_no_further_than_it_is_asked(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "_CHUNK", 2)
    with line(url) as made:
        ids = [made.tried(unit, PASS) for unit in range(5)]
    assert [one.opened.attempt_id for one in islice(each_attempt(url), 3)] == ids[:3]
    assert [one.opened.attempt_id for one in each_attempt(url)] == ids
    assert [len(one.images) for one in each_attempt(url, package=NEW.name)] == [0] * 5


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        ({"package": "R05"}, "ix_attempt_opened_package"),
        ({"code": "D206"}, "ix_attempt_closed_failure_code"),
        ({"operator": "maria"}, "ix_attempt_opened_operator_started_utc_us"),
        ({"lot": "PO-1"}, "ix_attempt_opened_lot"),
        ({"campaign_id": "some"}, "ix_attempt_opened_campaign_id"),
        ({"shift": LAST_SHIFT}, "ix_attempt_opened_shift_id"),
        ({"slot": "A1", "until_utc_us": 5}, "ix_attempt_opened_slot_started_utc_us"),
    ],
)
@pytest.mark.sqlite
def test_each_condition_has_its_index(url: str, wanted: dict[str, Any], index: str) -> None:
    steps = plan(url, records.newest(conditions(**wanted), None))
    assert any(index in step for step in steps), steps
    assert not [step for step in steps if "SCAN" in step], steps
