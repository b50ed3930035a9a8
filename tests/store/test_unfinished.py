"""What an interrupted attempt left behind: who may be taken up again, and what is proven."""

from dataclasses import replace

import pytest

from station.model import (
    LAYOUT_AGREES,
    LAYOUT_STEP,
    AttemptOpened,
    Identifier,
    IdKind,
    Outcome,
    StepOutcome,
    StepRecord,
    Unit,
)
from station.store.facts import Facts
from station.store.ids import new_id
from station.store.unfinished import (
    layout_agreed,
    unfinished_slot,
    unfinished_unit,
    unproven_attempt,
)
from station.store.writer import Store
from tests.store.samples import (
    CHIP,
    NOON_US,
    PACKAGE,
    READ_BY_SAHARA,
    UNIT,
    attempt,
    begun,
    ended,
    failed,
    flashed,
    verdict,
    written,
)

AGREED = StepRecord(7, LAYOUT_STEP, StepOutcome.OK, 1, 0, 0, {LAYOUT_STEP: LAYOUT_AGREES})
NAMELESS = {"unit": Unit(), "identifiers": ()}


def cut_off(url: str, *steps: StepRecord, chip: bool = True, **changes: object) -> AttemptOpened:
    """An attempt whose engine died."""
    opened = attempt(**changes)
    begun(url, opened, *steps)

    async def die(store: Store) -> None:
        if chip:
            await store.save(Facts(opened.attempt_id, names=[READ_BY_SAHARA]))
        await store.close_interrupted(station=opened.station)

    written(url, die)
    return opened


def found_id(url: str, chip: str = CHIP) -> str | None:
    found = unfinished_unit(url, chip)
    return None if found is None else found.opened.attempt_id


# --- by chip serial ---------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", [StepOutcome.OK, StepOutcome.SKIPPED])
def test_a_unit_that_may_have_been_erased_is_found_by_its_chip(
    url: str, outcome: StepOutcome
) -> None:
    opened = cut_off(url, replace(AGREED, outcome=outcome))
    assert found_id(url) == opened.attempt_id
    assert found_id(url, CHIP.upper()) == opened.attempt_id
    assert found_id(url, "00000000") is None
    assert found_id(url, "1f0a2b3d") is None


def test_a_unit_that_was_not_written_yet_is_not_unfinished(url: str) -> None:
    cut_off(url, replace(AGREED, outcome=StepOutcome.FAILED))
    assert found_id(url) is None


def test_whatever_came_later_counts(url: str) -> None:
    cut_off(url, AGREED)
    later = attempt(started_utc_us=NOON_US + 1)
    begun(url, later)
    assert found_id(url) is None, "it is being worked on"
    ended(url, verdict(later))
    assert found_id(url) is None


def test_who_was_to_repeat_it_and_was_cut_off_before_it_wrote_changed_nothing(url: str) -> None:
    opened = cut_off(url, AGREED)
    cut_off(url, started_utc_us=NOON_US + 1)
    assert found_id(url) == opened.attempt_id
    again = cut_off(url, AGREED, started_utc_us=NOON_US + 2)
    assert found_id(url) == again.attempt_id


def test_who_was_to_write_something_else_ends_it(url: str) -> None:
    opened = cut_off(url, AGREED)
    assert opened.recipe is not None
    other = replace(opened.recipe, sha256="cd" * 32, text="another one")
    cut_off(url, started_utc_us=NOON_US + 1, recipe=other)
    assert found_id(url) is None


def test_an_earlier_reading_of_the_chip_is_enough(url: str) -> None:
    flashed(url, attempt(started_utc_us=NOON_US - 9))
    opened = cut_off(url, AGREED, chip=False)
    assert found_id(url) == opened.attempt_id


def test_one_chip_serial_on_two_modules_is_certain_of_neither(url: str) -> None:
    other = Identifier(IdKind.IMEI, "864266050000029", "at")
    flashed(
        url,
        attempt(started_utc_us=NOON_US - 9, unit=Unit(imei=other.value), identifiers=(other,)),
    )
    cut_off(url, AGREED)
    assert found_id(url) is None
    assert not layout_agreed(url, CHIP, PACKAGE.sha256)


# --- by slot ----------------------------------------------------------------------------------


def slot_id(url: str, slot: str = "A1", port: str = "1-1.1") -> str | None:
    found = unfinished_slot(url, "line-1", slot, [port])
    return None if found is None else found.opened.attempt_id


def test_a_slot_is_asked_only_where_no_chip_serial_is_known(url: str) -> None:
    opened = cut_off(url, AGREED, chip=False)
    assert slot_id(url) == opened.attempt_id
    assert slot_id(url, slot="A2") is None
    assert slot_id(url, port="1-1.2") is None
    assert unfinished_slot(url, "line-2", "A1", ["1-1.1"]) is None


@pytest.mark.parametrize("told", ["read", "came with it"])
def test_a_known_chip_serial_is_not_passed_over(url: str, told: str) -> None:
    unit = Unit(chip_serial=CHIP if told == "came with it" else None)
    cut_off(url, AGREED, chip=told == "read", **{**NAMELESS, "unit": unit})
    assert slot_id(url) is None


def test_another_attempt_in_the_slot_since_then_ends_it(url: str) -> None:
    cut_off(url, AGREED, chip=False)
    other = Identifier(IdKind.IMEI, "864266050000029", "at")
    flashed(url, attempt(started_utc_us=NOON_US + 1, unit=Unit(imei=other.value)))
    assert slot_id(url) is None


# --- the partition table ----------------------------------------------------------------------


def test_a_table_that_agreed_is_remembered_for_this_package(url: str) -> None:
    opened = attempt()
    begun(url, opened, AGREED)
    written(url, lambda store: store.save(Facts(opened.attempt_id, names=[READ_BY_SAHARA])))
    ended(url, verdict(opened, outcome=Outcome.PASS))
    assert layout_agreed(url, CHIP, PACKAGE.sha256)
    assert not layout_agreed(url, CHIP, "ab" * 32)
    assert not layout_agreed(url, "1f0a2b3d", PACKAGE.sha256)


@pytest.mark.parametrize(
    "step",
    [
        replace(AGREED, outcome=StepOutcome.FAILED),
        replace(AGREED, detail={LAYOUT_STEP: "erased already"}),
        replace(AGREED, outcome=StepOutcome.SKIPPED, detail={LAYOUT_STEP: "not read"}),
        replace(AGREED, name="configure"),
    ],
)
def test_nothing_less_proves_it(url: str, step: StepRecord) -> None:
    opened = attempt(attempt_id=new_id())
    begun(url, opened, step)
    written(url, lambda store: store.save(Facts(opened.attempt_id, names=[READ_BY_SAHARA])))
    assert not layout_agreed(url, CHIP, PACKAGE.sha256)


# --- written, and never proven ----------------------------------------------------------------


def tried(url: str, outcome: Outcome, *steps: StepRecord) -> str:
    opened = attempt(attempt_id=new_id())
    begun(url, opened, *steps)
    closed = verdict(opened, outcome=outcome) if outcome.is_good else failed(opened)
    ended(url, replace(closed, outcome=outcome))
    return opened.attempt_id


def test_a_unit_is_unproven_from_the_first_erase_until_it_passes(url: str) -> None:
    assert unproven_attempt(url, UNIT) is None
    begun(url, opened := attempt(attempt_id=new_id()), AGREED)
    assert unproven_attempt(url, UNIT) == opened.attempt_id, "it has no end yet"
    bad = tried(url, Outcome.FAIL, AGREED)
    tried(url, Outcome.FAIL)
    tried(url, Outcome.NO_CHANGE)
    assert unproven_attempt(url, UNIT) == bad, "what wrote nothing changes nothing"
    assert unproven_attempt(url, Unit(chip_serial="0badcafe")) is None
    tried(url, Outcome.PASS, AGREED)
    assert unproven_attempt(url, UNIT) is None
    assert unproven_attempt(url, Unit()) is None
    cut = cut_off(url, replace(AGREED, outcome=StepOutcome.SKIPPED), attempt_id=new_id())
    assert unproven_attempt(url, UNIT) == cut.attempt_id
