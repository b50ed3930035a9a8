"""The header's numbers, against counting by hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from station.live import Counts
from station.model import AttemptOpened, Outcome, Unit
from station.store.batch import Batch, batch_of
from station.store.counts import counts_since, question
from station.store.database import writer_engine
from station.store.inserts import insert_attempt, insert_verdict
from tests.store.samples import NOON_US, attempt, failed, plan, verdict, written

SINCE_US = NOON_US


@dataclass(frozen=True)
class Tried:
    """`unit` None: the module never said who it is; `outcome` None: the attempt is open."""

    unit: int | None
    outcome: Outcome | None
    after_us: int


def unit_of(tried: Tried, station: str) -> Unit:
    """Each station has units of its own."""
    number = int(station.removeprefix("line-"))
    return Unit() if tried.unit is None else Unit(imei=f"8642{number:07}{tried.unit:04}")


def insert(batch: Batch, station: str, tried: Tried) -> AttemptOpened:
    opened = attempt(
        station=station,
        unit=unit_of(tried, station),
        identifiers=(),
        started_utc_us=SINCE_US + tried.after_us,
    )
    insert_attempt(batch, opened)
    if tried.outcome is not None:
        closed = verdict(opened) if tried.outcome.is_good else failed(opened)
        insert_verdict(batch, replace(closed, outcome=tried.outcome, unit=opened.unit))
    return opened


def by_hand(tried: list[Tried]) -> Counts:
    """As the docstring of Counts says; the attempts are in the order they were made."""
    last: dict[int, Outcome] = {}
    first: dict[int, Tried] = {}
    for one in tried:
        if one.unit is not None and one.outcome is not None:
            if one.after_us >= 0:
                last[one.unit] = one.outcome
            if one.outcome in (Outcome.PASS, Outcome.FAIL):
                first.setdefault(one.unit, one)
    since = [one for one in first.values() if one.after_us >= 0]
    return Counts(
        good=sum(outcome.is_good for outcome in last.values()),
        first=len(since),
        first_pass=sum(one.outcome is Outcome.PASS for one in since),
    )


@contextmanager
def writing(url: str) -> Iterator[sa.Engine]:
    engine = writer_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


# --- examples ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([], Counts(0, 0, 0)),
        ([Outcome.PASS], Counts(1, 1, 1)),
        ([Outcome.FAIL, Outcome.PASS], Counts(1, 1, 0)),
        ([Outcome.PASS, Outcome.FAIL], Counts(0, 1, 1)),
        ([Outcome.PASS, Outcome.NO_CHANGE], Counts(1, 1, 1)),
        ([Outcome.NO_CHANGE], Counts(1, 0, 0)),
        ([Outcome.ABORTED, Outcome.ERROR, Outcome.PASS], Counts(1, 1, 1)),
        ([Outcome.BLOCKED], Counts(0, 0, 0)),
        ([Outcome.PASS, Outcome.INTERRUPTED], Counts(0, 1, 1)),
        ([Outcome.PASS, None], Counts(1, 1, 1)),
    ],
)
def test_one_unit(url: str, outcomes: list[Outcome | None], expected: Counts) -> None:
    with writing(url) as engine, batch_of(engine) as batch:
        for after_us, outcome in enumerate(outcomes):
            insert(batch, "line-1", Tried(1, outcome, after_us))
    assert counts_since(url, "line-1", SINCE_US) == expected
    assert written(url, lambda store: store.counts_since("line-1", SINCE_US)) == expected


def test_a_unit_that_named_itself_only_at_the_end_counts(url: str) -> None:
    with writing(url) as engine, batch_of(engine) as batch:
        opened = attempt(unit=Unit(), identifiers=())
        insert_attempt(batch, opened)
        insert_verdict(batch, verdict(opened, unit=Unit(imei="864266050000011")))
    assert counts_since(url, "line-1", SINCE_US) == Counts(1, 1, 1)


# --- anything ---------------------------------------------------------------------------------

STATIONS = (f"line-{number}" for number in count())


@pytest.fixture(scope="module")
def shared(shared_url: str) -> Iterator[tuple[str, sa.Engine]]:
    """Each example is a station of its own."""
    with writing(shared_url) as engine:
        yield shared_url, engine


TRIED = st.builds(
    Tried,
    unit=st.none() | st.integers(0, 3),
    outcome=st.none() | st.sampled_from(Outcome),
    after_us=st.integers(-2, 9),
)


@settings(deadline=None)
@given(st.lists(TRIED, max_size=12, unique_by=lambda one: one.after_us))
def test_the_record_counts_as_one_counts_by_hand(
    shared: tuple[str, sa.Engine], tried: list[Tried]
) -> None:
    url, engine = shared
    station = next(STATIONS)
    with batch_of(engine) as batch:
        for one in tried:
            insert(batch, station, one)
    assert counts_since(url, station, SINCE_US) == by_hand(tried)


@pytest.mark.sqlite
def test_only_what_began_since_then_is_read(url: str) -> None:
    steps = plan(url, question("line-1", SINCE_US))
    (opened,) = [step for step in steps if step.startswith("SEARCH attempt_opened")]
    assert "ix_attempt_opened_started_utc_us (started_utc_us>?)" in opened
    assert not [step for step in steps if "SCAN attempt" in step], steps
