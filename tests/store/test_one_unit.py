"""A module that was known by its IMEI, then came back in EDL, is one unit; two modules are two."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from station.model import AttemptClosed, AttemptOpened, ClashKind, Identifier, IdKind, Outcome, Unit
from station.store.clashes import find_clashes, known_against
from station.store.facts import Facts
from station.store.queries import find_attempts, unit_by_chip
from station.store.recall import recall
from station.store.scope import Scope
from station.store.unit_events import QUARANTINED, Judgement, find_quarantined, names_of_unit
from station.store.writer import Store
from station.store.yields import yields
from tests.store.made import NEW, OLD
from tests.store.samples import (
    CHIP,
    IMEI,
    NOON_US,
    SERIAL,
    attempt,
    begun,
    ended,
    failed,
    rows,
    verdict,
    written,
)

BY_AT = Unit(imei=IMEI, serial=SERIAL)
BOTH = replace(BY_AT, chip_serial=CHIP)
OTHER_CHIP = "0badcafe"


def in_edl(chip: str = CHIP) -> AttemptOpened:
    """Nothing but the chip serial is told, by the product string."""
    told = Identifier(IdKind.CHIP, chip, "usb")
    return attempt(unit=Unit(chip_serial=chip), identifiers=(told,), package=NEW)


def tried(url: str, opened: AttemptOpened, closed: AttemptClosed) -> None:
    """Without a word of its chip but those in it."""
    begun(url, opened)
    ended(url, closed)


def known_by_at(url: str, imei: str = IMEI) -> None:
    """It has R05 already."""
    opened = attempt(unit=Unit(imei=imei, serial=SERIAL), package=OLD, identifiers=())
    closed = verdict(opened, unit=opened.unit, firmware_after="R05")
    tried(url, opened, replace(closed, outcome=Outcome.NO_CHANGE))


def flashed_in_edl(url: str, *, learns: bool = True, chip: str = CHIP) -> AttemptOpened:
    """Once it has started, the module tells its IMEI: as names of their own, as the engine writes
    them, or with the verdict alone, as a result that had to wait."""
    opened = in_edl(chip)
    after = replace(BOTH, chip_serial=chip, firmware="R06")

    async def work(store: Store) -> None:
        await store.open_attempt(opened)
        if learns:
            read = ((IdKind.IMEI, IMEI), (IdKind.SERIAL, SERIAL))
            names = [Identifier(kind, value, "at") for kind, value in read]
            await store.save(Facts(opened.attempt_id, names=names))
        against = await store.known_against(after, opened.attempt_id)
        closed = verdict(opened, unit=after, firmware_after="R06", clashes=against.clashes)
        await store.close_attempt(closed)

    written(url, work)
    return opened


def numbers(url: str) -> tuple[int, ...]:
    (one,) = yields(url, Scope())
    return (one.units, one.judged, one.first, one.first_pass, one.final_good)


def listed(url: str, firmware: str) -> list[str | None]:
    return [one.imei for one in recall(url, firmware=firmware)]


def ended_with(url: str) -> list[str]:
    """The units' ids, in the order of the attempts."""
    return [row[0] for row in rows(url, "SELECT unit_id FROM attempt_closed ORDER BY attempt_id")]


def names(url: str, unit_id: str) -> Iterable[tuple[IdKind, str]]:
    return set(names_of_unit(url, unit_id))


@pytest.mark.parametrize("learns", [True, False])
def test_it_leaves_the_recall_list_of_what_it_had(url: str, *, learns: bool) -> None:
    known_by_at(url)
    assert listed(url, "R05") == [IMEI]
    flashed_in_edl(url, learns=learns)
    assert (listed(url, "R05"), listed(url, "R06")) == ([], [IMEI])


@pytest.mark.parametrize("learns", [True, False])
def test_its_failure_before_is_its_first_attempt(url: str, *, learns: bool) -> None:
    opened = attempt(unit=BY_AT, identifiers=(), package=NEW)
    tried(url, opened, failed(opened, unit=BY_AT))
    flashed_in_edl(url, learns=learns)
    assert numbers(url) == (1, 2, 1, 0, 1)


def test_it_is_found_by_each_of_its_names_from_then_on(url: str) -> None:
    known_by_at(url)
    edl = flashed_in_edl(url)
    before, after = ended_with(url)
    assert before == after
    assert names(url, after) == {(IdKind.IMEI, IMEI), (IdKind.SERIAL, SERIAL), (IdKind.CHIP, CHIP)}
    known = unit_by_chip(url, CHIP)
    assert known is not None
    assert (known.imei, known.firmware) == (IMEI, "R06")
    assert len(find_attempts(url, imei=IMEI)) == 2
    assert edl.attempt_id in [one.opened.attempt_id for one in find_attempts(url, chip=CHIP)]
    tried(url, again := in_edl(), verdict(again, unit=BOTH))
    assert set(ended_with(url)) == {before}


def test_held_by_its_imei_it_is_held_in_edl(url: str) -> None:
    known_by_at(url)
    flashed_in_edl(url)
    said = Judgement(IMEI, QUARANTINED, "line-1", NOON_US, "eva", "burnt")
    written(url, lambda store: store.judge_unit(said))
    for seen in (BOTH, BY_AT, Unit(chip_serial=CHIP)):
        assert known_against(url, seen).quarantine is not None
    assert known_against(url, Unit(chip_serial=OTHER_CHIP)).quarantine is None


# --- what stays two ---------------------------------------------------------------------------


@pytest.mark.parametrize("learns", [True, False])
def test_an_imei_in_another_chip_is_a_clash(url: str, *, learns: bool) -> None:
    tried(url, opened := attempt(unit=BY_AT), verdict(opened, unit=BOTH))
    copy = flashed_in_edl(url, learns=learns, chip=OTHER_CHIP)
    first, second = ended_with(url)
    assert first != second
    assert (IdKind.CHIP, OTHER_CHIP) not in names(url, first)
    assert (IdKind.CHIP, CHIP) not in names(url, second)
    (clash,) = find_clashes(url)
    assert (clash.kind, clash.attempt_id) == (ClashKind.IMEI.value, copy.attempt_id)
    assert {event.unit_id for event in find_quarantined(url)} == {first, second}


def test_of_two_with_its_imei_nobody_knows_which_it_is(url: str) -> None:
    known_by_at(url)
    tried(url, opened := in_edl(OTHER_CHIP), failed(opened, unit=opened.unit))
    flashed_in_edl(url, chip=OTHER_CHIP)
    third = flashed_in_edl(url)
    assert len(set(ended_with(url))) == 3
    assert {clash.attempt_id for clash in find_clashes(url)} == {third.attempt_id}


def test_another_imei_is_another_unit(url: str) -> None:
    known_by_at(url, imei="864266050000029")
    flashed_in_edl(url)
    assert len(set(ended_with(url))) == 2, "their serial is the same"


def test_attempts_that_a_chip_alone_has_stay_together(url: str) -> None:
    """A failure in EDL and the pass after it are one unit's, whoever it was before."""
    known_by_at(url)
    tried(url, opened := in_edl(), failed(opened, unit=opened.unit))
    flashed_in_edl(url)
    assert numbers(url) == (1, 2, 1, 0, 1)
    assert listed(url, "R05") == [IMEI]
