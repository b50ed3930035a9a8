"""Clashes as rows: written with their verdict, found again, and what they say of a unit."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from station.errors import IdentityClash
from station.model import (
    AttemptRecord,
    Clash,
    ClashKind,
    Failure,
    Identifier,
    IdKind,
    Outcome,
    Unit,
)
from station.store import schema
from station.store.clashes import find_clashes, known_against
from station.store.facts import Facts
from station.store.pending import Result
from station.store.queries import find_attempts
from station.store.unit_events import (
    QUARANTINED,
    RELEASED,
    Judgement,
    find_quarantined,
    find_unit_events,
    names_of_unit,
)
from station.store.writer import Store
from tests.store.samples import (
    CHIP,
    IMEI,
    NOON_US,
    READ_BY_SAHARA,
    SERIAL,
    attempt,
    flashed,
    plan,
    verdict,
    written,
)

OTHER_CHIP = "0badcafe"
KNOWN = Unit(imei=IMEI, serial=SERIAL, chip_serial=CHIP)
COPY = replace(KNOWN, chip_serial=OTHER_CHIP)
COPY_OF_NOBODY = Unit(imei="864266050000029", chip_serial=OTHER_CHIP)
REFUSED = Failure.of(IdentityClash("two have one IMEI"))


def clashed(url: str, **conditions: object) -> list[str]:
    return [found.attempt_id for found in find_clashes(url, **conditions)]  # type: ignore[arg-type]  # names of its own


def copy_arrives(url: str) -> str:
    """The IMEI of a known unit in a module with another chip, as the engine records it; its id."""
    opened = attempt(slot="A2", started_utc_us=NOON_US + 60_000_000)

    async def work(store: Store) -> None:
        await store.open_attempt(opened)
        chip = Identifier(IdKind.CHIP, OTHER_CHIP, "sahara")
        await store.save(Facts(opened.attempt_id, names=[chip]))
        against = await store.known_against(COPY, opened.attempt_id)
        closed = verdict(
            opened,
            outcome=Outcome.BLOCKED,
            failure=REFUSED,
            unit=replace(opened.unit, chip_serial=OTHER_CHIP),
            clashes=against.clashes,
        )
        await store.close_attempt(closed)

    written(url, work)
    return opened.attempt_id


def test_a_unit_that_nothing_is_known_against(url: str) -> None:
    flashed(url, attempt())
    for unit in (KNOWN, Unit(imei=IMEI), Unit(chip_serial=CHIP), Unit(), COPY_OF_NOBODY):
        against = known_against(url, unit)
        assert (against.quarantine, against.clashes) == (None, ())


def test_who_the_other_is_and_where_it_was_seen(url: str) -> None:
    first = attempt()
    flashed(url, first)
    (clash,) = known_against(url, COPY).clashes
    assert (clash.kind, clash.value) == (ClashKind.IMEI, IMEI)
    assert clash.detail == {
        "other": f"imei {IMEI}, serial {SERIAL}, chip {CHIP}",
        "attempt_id": first.attempt_id,
        "station": "line-1",
        "slot": "A1",
        "utc_us": NOON_US,
    }
    (by_chip,) = known_against(url, replace(KNOWN, imei="864266050000029")).clashes
    assert (by_chip.kind, by_chip.value) == (ClashKind.CHIP, CHIP)


def test_the_names_of_a_copy_are_not_the_known_units(url: str) -> None:
    flashed(url, attempt())
    copy = copy_arrives(url)
    (found,) = find_clashes(url)
    assert (found.attempt_id, found.slot, found.kind, found.value) == (copy, "A2", "imei", IMEI)
    assert found.unit_id is not None
    assert found.other_unit_id is not None
    assert (IdKind.CHIP, OTHER_CHIP) in names_of_unit(url, found.unit_id)
    assert (IdKind.CHIP, OTHER_CHIP) not in names_of_unit(url, found.other_unit_id)
    held = {event.unit_id: event for event in find_quarantined(url)}
    assert held.keys() == {found.unit_id, found.other_unit_id}
    assert held[found.unit_id].reason == "IMEI CLASH: two have one IMEI"
    assert held[found.other_unit_id].reason.startswith("it is the other one in IMEI CLASH")
    assert len(find_attempts(url, chip=OTHER_CHIP)) == 1


def test_conditions(url: str) -> None:
    flashed(url, attempt())
    copy = copy_arrives(url)
    assert clashed(url, station="line-1", name=IMEI, limit=1) == [copy]
    assert clashed(url, station="line-2") == clashed(url, name=SERIAL) == []
    assert clashed(url, since_utc_us=NOON_US + 1_000_000_000) == []


def test_it_is_the_pair_of_names_that_is_accepted(url: str) -> None:
    flashed(url, attempt())
    copy_arrives(url)
    assert known_against(url, Unit(imei=IMEI)).quarantine is not None
    said = Judgement(OTHER_CHIP, RELEASED, "line-1", NOON_US, "eva", "looked")
    written(url, lambda store: store.judge_unit(said))
    assert known_against(url, Unit(imei=IMEI)).quarantine is None, "it may be the released one"
    accepted = known_against(url, COPY)
    assert (accepted.quarantine, accepted.clashes) == (None, ())
    assert known_against(url, KNOWN).quarantine is not None
    third = known_against(url, replace(KNOWN, chip_serial="33333333"))
    assert len(third.clashes) == 2, "both others have its IMEI"


def test_a_unit_held_by_its_chip_alone_stays_held_once_its_imei_is_read(url: str) -> None:
    in_edl = attempt(unit=Unit(chip_serial=CHIP), identifiers=(READ_BY_SAHARA,))
    flashed(url, in_edl, verdict(in_edl, unit=in_edl.unit))
    said = Judgement(CHIP, QUARANTINED, "line-1", NOON_US, "eva", "burnt")
    written(url, lambda store: store.judge_unit(said))
    by_at = attempt(slot="A2", started_utc_us=NOON_US + 60_000_000)

    async def arrives(store: Store) -> None:
        await store.open_attempt(by_at)
        assert (await store.known_against(by_at.unit, by_at.attempt_id)).quarantine is None
        await store.save(Facts(by_at.attempt_id, names=[READ_BY_SAHARA]))

    written(url, arrives)
    for seen in (KNOWN, Unit(imei=IMEI, chip_serial=CHIP), Unit(chip_serial=CHIP)):
        assert known_against(url, seen).quarantine is not None
    assert known_against(url, COPY).quarantine is None
    (held,) = find_quarantined(url)
    written(url, lambda store: store.judge_unit(replace(said, name=held.unit_id, kind=RELEASED)))
    assert known_against(url, KNOWN).quarantine is None


def test_a_result_that_waited_brings_its_clash_along_once(url: str) -> None:
    opened = attempt()
    clash = Clash(ClashKind.DEFAULT_IMEI, IMEI)
    closed = verdict(opened, outcome=Outcome.BLOCKED, failure=REFUSED, clashes=(clash,))
    full = AttemptRecord(opened, closed, (), ())

    async def work(store: Store) -> None:
        for _ in range(2):
            await store.keep(Result(full))
            await store.settle()

    written(url, work)
    assert clashed(url) == [opened.attempt_id]
    assert find_unit_events(url) == []


@pytest.mark.sqlite
@pytest.mark.parametrize("table", ["clash", "unit_event"])
def test_what_is_asked_of_every_module_is_looked_up(url: str, table: str) -> None:
    asked = schema.metadata.tables[table]
    (how, *_) = plan(url, sa.select(asked.c.id).where(asked.c.unit_id == "x"))
    assert "USING" in how
    assert "SCAN" not in how
