"""Yield as it is defined, against counting by hand."""

from dataclasses import dataclass, replace
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from station.model import Outcome, RecipeRef
from station.store.scope import LAST_SHIFT, Scope
from station.store.yields import By, Rate, Yield, question, yields
from tests.store.made import DAY_US, MIDNIGHT_US, NEW, OLD, Line, line
from tests.store.samples import plan

EVERYTHING = Scope()
PASS, FAIL = Outcome.PASS, Outcome.FAIL
NUMBERS = ("units", "judged", "first", "first_pass", "final_good")


def only(url: str, scope: Scope = EVERYTHING, by: By = By.ALL) -> Yield:
    (one,) = yields(url, scope, by)
    return one


def numbers(one: Yield) -> tuple[int, ...]:
    return tuple(getattr(one, name) for name in NUMBERS)


def by_group(url: str, by: By, scope: Scope = EVERYTHING) -> dict[str | None, tuple[int, ...]]:
    return {one.group: numbers(one) for one in yields(url, scope, by)}


# --- one unit ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([PASS], (1, 1, 1, 1, 1)),
        ([FAIL], (1, 1, 1, 0, 0)),
        ([FAIL, PASS], (1, 2, 1, 0, 1)),
        ([PASS, FAIL], (1, 2, 1, 1, 0)),
        ([FAIL, Outcome.NO_CHANGE], (1, 1, 1, 0, 1)),
        ([Outcome.NO_CHANGE], (0, 0, 0, 0, 0)),
        ([Outcome.ERROR, Outcome.INTERRUPTED, PASS], (1, 1, 1, 1, 1)),
        ([PASS, Outcome.BLOCKED, Outcome.ABORTED, None], (1, 1, 1, 1, 1)),
        ([FAIL, FAIL, FAIL, PASS], (1, 4, 1, 0, 1)),
    ],
)
def test_one_unit(url: str, outcomes: list[Outcome | None], expected: tuple[int, ...]) -> None:
    with line(url) as made:
        for outcome in outcomes:
            made.tried(1, outcome)
    assert numbers(only(url)) == expected


def test_the_rates_of_three_units(url: str) -> None:
    with line(url) as made:
        for unit, outcome in ((1, FAIL), (1, FAIL), (1, PASS), (2, PASS), (3, FAIL)):
            made.tried(unit, outcome)
    one = only(url)
    assert (one.first_pass_yield, one.final_yield) == (Rate(1, 3), Rate(2, 3))
    assert one.retest_rate == Rate(2, 3)


def test_what_is_in_no_rate_is_told_beside(url: str) -> None:
    with line(url) as made:
        made.tried(1, PASS)
        for outcome in set(Outcome) - {PASS, FAIL}:
            made.tried(2, outcome)
        made.tried(None, FAIL)
        made.tried(None, Outcome.ERROR)
        made.tried(3, PASS, purpose="golden")
        made.tried(4, FAIL, purpose="golden")
        made.tried(5, None)
    one = only(url)
    assert numbers(one) == (1, 1, 1, 1, 1)
    assert (one.no_change, one.blocked, one.aborted) == (1, 1, 1)
    assert (one.station_loss, one.unnamed, one.off_line) == (3, 2, 2)


def test_another_package_is_another_first_attempt(url: str) -> None:
    with line(url) as made:
        for package, outcome in ((OLD, FAIL), (OLD, PASS), (NEW, PASS), (OLD, PASS)):
            made.tried(1, outcome, package=package)
    assert numbers(only(url)) == (1, 4, 2, 1, 1)


def test_before_it_had_a_package_is_a_first_attempt_at_any(url: str) -> None:
    with line(url) as made:
        made.tried(1, FAIL, package=None)
        made.tried(1, PASS)
    assert numbers(only(url)) == (1, 2, 1, 0, 1)


def test_a_golden_run_is_no_first_attempt(url: str) -> None:
    with line(url) as made:
        made.tried(1, FAIL, purpose="golden")
        made.tried(1, PASS)
    assert numbers(only(url)) == (1, 1, 1, 1, 1)


# --- groups -----------------------------------------------------------------------------------


def test_a_first_attempt_stands_where_it_was_made_and_a_retest_flatters_no_day(url: str) -> None:
    first, next_day = MIDNIGHT_US + DAY_US - 1, MIDNIGHT_US + DAY_US
    with line(url) as made:
        made.tried(1, FAIL, started_utc_us=first, slot="A1")
        made.tried(2, PASS, started_utc_us=first, slot="A2")
        made.tried(1, PASS, started_utc_us=next_day, slot="A2")
    days = {"2026-09-21": (2, 2, 2, 1, 1), "2026-09-22": (1, 1, 0, 0, 1)}
    assert by_group(url, By.DAY) == days
    assert by_group(url, By.SLOT) == {"A1": (1, 1, 1, 0, 0), "A2": (2, 2, 1, 1, 2)}
    asked_alone = by_group(url, By.DAY, Scope(since_utc_us=next_day))
    assert asked_alone == {"2026-09-22": days["2026-09-22"]}
    assert numbers(only(url, Scope(until_utc_us=next_day))) == days["2026-09-21"]


def test_by_people_lots_shifts_and_recipes(url: str) -> None:
    with line(url) as made:
        early, late = made.shift("maria"), made.shift("paul")
        made.tried(1, PASS, operator="maria", lot="PO-1", shift_id=early)
        made.tried(2, FAIL, operator="paul", lot=None, shift_id=late)
        made.tried(3, PASS, operator="paul", recipe=RecipeRef("rm500q", 4, "cc" * 32, ""))
    passed, failed = (1, 1, 1, 1, 1), (1, 1, 1, 0, 0)
    assert by_group(url, By.OPERATOR) == {"maria": passed, "paul": (2, 2, 2, 1, 1)}
    assert by_group(url, By.LOT) == {"PO-1": passed, None: (2, 2, 2, 1, 1)}
    assert by_group(url, By.SHIFT) == {early: passed, late: failed, None: passed}
    started = {
        one.group: one.shift and one.shift.operator for one in yields(url, EVERYTHING, By.SHIFT)
    }
    assert started == {early: "maria", late: "paul", None: None}
    assert by_group(url, By.RECIPE) == {"ec25-efa 3": (2, 2, 2, 1, 1), "rm500q 4": passed}
    assert numbers(only(url, Scope(shift=LAST_SHIFT))) == failed
    assert numbers(only(url, Scope(shift=early))) == passed
    assert numbers(only(url, Scope(lot="PO-1", operator="maria", station="line-1"))) == passed


def test_slots_and_shifts_of_stations_that_share_a_record(url: str) -> None:
    with line(url) as made:
        early, other = made.shift("maria"), made.shift("paul", station="line-2")
        made.tried(1, PASS, shift_id=early)
        made.tried(2, FAIL, shift_id=other, station="line-2")
        made.tried(3, PASS, shift_id=other, station="line-2", slot="A2")
    passed, failed = (1, 1, 1, 1, 1), (1, 1, 1, 0, 0)
    both = {"line-1/A1": passed, "line-2/A1": failed, "line-2/A2": passed}
    assert by_group(url, By.SLOT) == both
    assert by_group(url, By.SLOT, Scope(slot="A2")) == {"line-2/A2": passed}
    assert by_group(url, By.SLOT, Scope(station="line-2")) == {"A1": failed, "A2": passed}
    assert set(by_group(url, By.SHIFT, Scope(shift=LAST_SHIFT))) == {other}
    for station, shift in (("line-1", early), ("line-2", other)):
        assert set(by_group(url, By.SHIFT, Scope(station=station, shift=LAST_SHIFT))) == {shift}
    assert by_group(url, By.SHIFT, Scope(station="line-3", shift=LAST_SHIFT)) == {}


def test_nothing_is_no_row(url: str) -> None:
    assert [list(yields(url, EVERYTHING, by)) for by in By] == [[] for _ in By]


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [(0, 0, "-"), (0, 3, "0.0 %"), (2, 3, "66.6 %"), (1999, 2000, "99.9 %"), (5, 4, "125.0 %")],
)
def test_a_rate_is_cut_so_that_all_means_all(part: int, whole: int, shown: str) -> None:
    assert str(Rate(part, whole)) == shown


# --- anything ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tried:
    unit: int
    outcome: Outcome | None
    slot: str
    day: int
    package: str
    purpose: str | None


TRIED = st.builds(
    Tried,
    unit=st.integers(0, 2),
    outcome=st.none() | st.sampled_from(Outcome),
    slot=st.sampled_from(("A1", "A2")),
    day=st.integers(0, 2),
    package=st.sampled_from(("R05", "R06")),
    purpose=st.sampled_from((None, None, None, "golden")),
)


def by_hand(told: list[Tried], within: list[Tried]) -> tuple[int, ...]:
    """`told`: the whole record; `within`: those of them that are asked for."""
    counting = [one for one in told if one.purpose is None]
    firsts: dict[tuple[int, str], Tried] = {}
    for one in counting:
        if one.outcome in (PASS, FAIL):
            firsts.setdefault((one.unit, one.package), one)
    inside = {id(one) for one in within}
    first = [one for one in firsts.values() if id(one) in inside]
    asked = [one for one in counting if id(one) in inside]
    judged = [one for one in asked if one.outcome in (PASS, FAIL)]
    last = {
        one.unit: one.outcome for one in asked if one.outcome in (PASS, FAIL, Outcome.NO_CHANGE)
    }
    units = {one.unit for one in judged}
    return (
        len(units),
        len(judged),
        len(first),
        sum(one.outcome is PASS for one in first),
        sum(last[unit] is not FAIL for unit in units),
    )


WORLDS = count()


def told_to(made: Line, world: int, told: list[Tried]) -> None:
    for one in told:
        made.tried(
            world * 10 + one.unit,
            one.outcome,
            station=f"line-{world}",
            slot=one.slot,
            started_utc_us=MIDNIGHT_US + one.day * DAY_US,
            package=OLD if one.package == "R05" else NEW,
            purpose=one.purpose,
        )


@settings(deadline=None, max_examples=60)
@given(st.lists(TRIED, max_size=10))
def test_the_record_counts_as_one_counts_by_hand(shared_url: str, told: list[Tried]) -> None:
    """Each example is a station with units of its own."""
    world = next(WORLDS)
    told = [replace(one) for one in told]  # of equal ones each is itself
    with line(shared_url) as made:
        told_to(made, world, told)
    station = Scope(station=f"line-{world}")
    whole = list(yields(shared_url, station))
    assert [numbers(one) for one in whole] in ([by_hand(told, told)], [])
    for slot, found in by_group(shared_url, By.SLOT, station).items():
        assert found == by_hand(told, [one for one in told if one.slot == slot])
    days = by_group(shared_url, By.DAY, station)
    for day in range(3):
        found = days.get(f"2026-09-{21 + day}", (0,) * 5)
        assert found == by_hand(told, [one for one in told if one.day == day])
    if whole:
        assert sum(found[2] for found in days.values()) == whole[0].first
        assert sum(found[3] for found in days.values()) == whole[0].first_pass


# --- how it is found --------------------------------------------------------------------------


@pytest.mark.parametrize("by", By)
@pytest.mark.sqlite
def test_a_day_reads_that_day_and_looks_up_each_unit(url: str, by: By) -> None:
    steps = plan(url, question(Scope(since_utc_us=1, until_utc_us=2), by))
    assert not [step for step in steps if step.startswith("SCAN") and "anon" not in step], steps
    (opened,) = [step for step in steps if step.startswith("SEARCH attempt_opened")]
    assert "ix_attempt_opened_started_utc_us (started_utc_us>? AND started_utc_us<?)" in opened
    earlier = {step.split(" USING ")[1] for step in steps if step.startswith("SEARCH earlier")}
    assert earlier == {
        "INDEX ix_attempt_closed_unit_id_outcome (unit_id=? AND outcome=? AND attempt_id<?)",
        "PRIMARY KEY (id=?)",
    }
