"""What a unit was told before, whatever name it goes by now."""

from dataclasses import replace

from station.model import AttemptOpened, Identifier, IdKind, Outcome, Unit
from station.store.facts import Facts
from station.store.queries import last_verdict
from station.store.writer import Store
from tests.store.samples import (
    CHIP,
    IMEI,
    NOON_US,
    SERIAL,
    UNIT,
    attempt,
    begun,
    ended,
    failed,
    flashed,
    verdict,
    written,
)

OTHER = replace(UNIT, imei="864266050000029", serial="S2")


def later(opened: AttemptOpened, **changes: object) -> AttemptOpened:
    return attempt(started_utc_us=opened.started_utc_us + 60_000_000, **changes)


def test_by_every_name_it_goes_by(url: str) -> None:
    opened = attempt()
    flashed(url, opened)
    for unit in (Unit(imei=IMEI), Unit(serial=SERIAL), Unit(chip_serial=CHIP), UNIT):
        record = last_verdict(url, unit)
        assert record is not None
        assert record.opened.attempt_id == opened.attempt_id
        assert record.closed == verdict(opened)
    for unit in (Unit(imei=OTHER.imei), Unit(chip_serial="deadbeef"), Unit(), Unit(imei="0" * 15)):
        assert last_verdict(url, unit) is None


def _last(url: str, unit: Unit, **wanted: object) -> str | None:
    record = last_verdict(url, unit, **wanted)  # type: ignore[arg-type]  # keyword by keyword below
    return record.opened.attempt_id if record else None


def test_the_newest_that_is_closed(url: str) -> None:
    first = attempt()
    second = later(first)
    flashed(url, first)
    flashed(url, second, failed(second))
    begun(url, later(second))
    assert _last(url, UNIT) == second.attempt_id
    assert _last(url, UNIT, outcome=Outcome.PASS) == first.attempt_id
    assert _last(url, UNIT, outcome=Outcome.NO_CHANGE) is None


def test_a_running_attempt_does_not_tell_of_itself(url: str) -> None:
    first = attempt()
    second = later(first)
    flashed(url, first)
    flashed(url, second)
    assert _last(url, UNIT, before_attempt=second.attempt_id) == first.attempt_id
    assert _last(url, UNIT, before_attempt="not yet committed") == second.attempt_id
    passed = {"outcome": Outcome.PASS, "before_attempt": second.attempt_id}
    assert _last(url, UNIT, **passed) == first.attempt_id
    alone = attempt(unit=OTHER, identifiers=())
    flashed(url, alone, verdict(alone, unit=OTHER))
    assert _last(url, OTHER, before_attempt=alone.attempt_id) is None


def test_another_unit_with_the_same_serial_is_not_this_one(url: str) -> None:
    """A factory that gives one serial to many must not make all of them ALREADY PASS."""
    flashed(url, attempt())
    assert last_verdict(url, replace(OTHER, serial=SERIAL)) is None
    assert last_verdict(url, Unit(imei=OTHER.imei, chip_serial=CHIP)) is None


def test_a_unit_seen_by_its_chip_alone_and_by_its_imei_alone(url: str) -> None:
    in_edl = attempt(unit=Unit(chip_serial="0badcafe"), identifiers=())
    by_at = later(in_edl, unit=Unit(imei=IMEI), identifiers=())
    for opened in (by_at, in_edl):
        begun(url, opened)
        ended(url, failed(opened, unit=opened.unit))
    both = Unit(imei=IMEI, chip_serial="0badcafe")
    assert _last(url, both) == by_at.attempt_id
    assert _last(url, both, before_attempt=by_at.attempt_id) == in_edl.attempt_id


def test_a_chip_named_in_an_attempt_that_died(url: str) -> None:
    opened = attempt(unit=Unit(), identifiers=())

    async def work(store: Store) -> None:
        await store.open_attempt(opened)
        chip = Identifier(IdKind.CHIP, CHIP, "sahara")
        await store.save(Facts(opened.attempt_id, names=[chip]))
        await store.close_interrupted()
        record = await store.last_verdict(Unit(chip_serial=CHIP))
        assert record is not None
        assert record.closed is not None
        assert record.closed.outcome is Outcome.INTERRUPTED
        assert record.closed.ended_utc_us == NOON_US + 1

    written(url, work)
