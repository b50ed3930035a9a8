"""What earlier attempts left behind in the flash memory of a module that cannot be asked."""

import json
from collections.abc import Collection, Sequence

import sqlalchemy as sa

from station.model import (
    LAYOUT_AGREES,
    LAYOUT_STEP,
    AttemptRecord,
    IdKind,
    Outcome,
    StepOutcome,
    Unit,
)
from station.store import schema
from station.store.queries import of_unit_ids, units_named
from station.store.reading import reading
from station.store.records import Condition, records
from station.store.units import identifies, known_units

_opened = schema.attempt_opened
_closed = schema.attempt_closed
_step = schema.step

_PASSED = (StepOutcome.OK, StepOutcome.SKIPPED)
_MAY_HAVE_ERASED = (_step.c.name == LAYOUT_STEP, _step.c.outcome.in_(_PASSED))
_REPEATS = 8
"""An engine that dies more often over one module needs a person."""


def layout_agreed(url: str, chip_serial: str, package_sha256: str) -> bool:
    """Whether an earlier attempt with this package has compared this module's partition table, and
    it agreed. Since then calibration lies where the package thinks, be the table erased or not."""
    with reading(url) as connection:
        unit_ids = _owners(connection, chip_serial)
        if not unit_ids:
            return False
        details = connection.scalars(
            sa.select(_step.c.detail)
            .join(_opened, _opened.c.id == _step.c.attempt_id)
            .where(
                *of_unit_ids(unit_ids),
                _opened.c.package_sha256 == package_sha256,
                _step.c.name == LAYOUT_STEP,
                _step.c.outcome == StepOutcome.OK,
            )
        ).all()
    return any(json.loads(detail).get(LAYOUT_STEP) == LAYOUT_AGREES for detail in details)


def unfinished_unit(url: str, chip_serial: str) -> AttemptRecord | None:
    """The attempt that was interrupted while it wrote the module with this chip serial; None if
    that is not the newest thing that is known of this module. Those that were to repeat it, and
    were interrupted before they wrote, changed nothing."""
    with reading(url) as connection:
        unit_ids = _owners(connection, chip_serial)
        if not unit_ids:
            return None
        return _unfinished(connection, of_unit_ids(unit_ids), repeats=_REPEATS)


def unfinished_slot(
    url: str, station: str, slot: str, port_paths: Collection[str]
) -> AttemptRecord | None:
    """The attempt that was interrupted while it wrote a module of which no chip serial is known, if
    it was the last one in this slot, and on one of these ports."""
    conditions = [_opened.c.station == station, _opened.c.slot == slot]
    with reading(url) as connection:
        found = _unfinished(connection, conditions)
    if found is None or found.opened.port_path not in port_paths:
        return None
    names = {name.kind for name in found.opened.identifiers}
    told = found.opened.unit.chip_serial is not None or IdKind.CHIP in names
    return None if told else found


def unproven_attempt(url: str, unit: Unit) -> str | None:
    """The attempt that may have erased, and did not pass, if it is the newest of this unit that may
    have: a part of the flash memory may be wrong, whatever version the module tells."""
    with reading(url) as connection:
        unit_ids = known_units(connection, unit)
        if not unit_ids:
            return None
        newest = (
            sa.select(_opened.c.id, _closed.c.outcome)
            .join(_step, _step.c.attempt_id == _opened.c.id)
            .outerjoin(_closed, _closed.c.attempt_id == _opened.c.id)
            .where(*of_unit_ids(unit_ids), *_MAY_HAVE_ERASED)
            .order_by(_opened.c.id.desc())
            .limit(1)
        )
        last = connection.execute(newest).one_or_none()
    return None if last is None or last.outcome == Outcome.PASS else str(last.id)


def _unfinished(
    connection: sa.Connection, conditions: Sequence[Condition], *, repeats: int = 0
) -> AttemptRecord | None:
    """The newest of these attempts that was cut off when it may have begun to erase, if it is the
    newest of all but for so many `repeats` with the same recipe that were cut off earlier."""
    recipe = None
    for record in reversed(records(connection, conditions, 1 + repeats)):
        if record.closed is None or record.closed.outcome is not Outcome.INTERRUPTED:
            return None
        recipe = recipe or record.opened.recipe
        if record.opened.recipe != recipe:
            return None
        if any(s.name == LAYOUT_STEP and s.outcome in _PASSED for s in record.steps):
            return record
    return None


def _owners(connection: sa.Connection, chip_serial: str) -> Sequence[str]:
    """The units of this chip serial; none if they are known to be several modules."""
    chip = chip_serial.lower()
    if not identifies(IdKind.CHIP, chip):
        return ()
    unit_ids = connection.scalars(units_named(IdKind.CHIP, chip).distinct()).all()
    names = schema.unit_identifier
    imeis = connection.scalars(
        sa.select(names.c.value)
        .where(names.c.unit_id.in_(unit_ids), names.c.kind == IdKind.IMEI)
        .distinct()
    ).all()
    return unit_ids if len(imeis) <= 1 else ()
