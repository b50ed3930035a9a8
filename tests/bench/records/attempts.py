"""Attempts of the line as rows: each as the links of the chain that the engine would make of it,
one for each transaction. The rows are made by the station's own functions.

    1 link      opened, the first three steps, names by AT; the unit if it is new
    1           the chip serial, read by Sahara, if it is new
    1 each      further steps and images
    1           closed, readings, evidence, measurements; the last step if it failed
"""

from collections.abc import Iterator
from dataclasses import replace

import sqlalchemy as sa

from station.model import (
    LAYOUT_AGREES,
    LAYOUT_STEP,
    AttemptClosed,
    AttemptOpened,
    ClashKind,
    EvidenceRef,
    Failure,
    Identifier,
    IdKind,
    ImageSent,
    Measurement,
    Mode,
    Outcome,
    StepOutcome,
    StepRecord,
    Unit,
    VerifyKind,
)
from station.store import schema
from station.store.rows import (
    Row,
    closed_row,
    evidence_row,
    image_row,
    measurement_row,
    opened_row,
    step_row,
)
from tests.bench.records.around import Rows, boot_id, dated, lot_name, operator, shift_id
from tests.bench.records.line import (
    OLD_VERSIONS,
    PLANS,
    RECIPES,
    SHIFT_TRAYS,
    SITE,
    SLOTS,
    SOFTWARE,
    STATION,
    TRAY,
    Line,
    Module,
    chance,
    digest,
    key,
)

_STEPS = (
    ("identify", 2_116_224, 0),
    ("select", 87, 0),
    ("preflight", 7_539, 0),
    ("enter_edl", 1_800_679, 0),
    ("load_programmer", 1_048_785, 174_392),
    ("configure", 3_614, 0),
    ("partition_table", 173_578, 1_310_720),
    ("erase", 2_177_857, 0),
    ("program", 16_601_479, 66_291_456),
    ("verify", 8_036_439, 67_077_888),
    ("reset", 1_011_642, 0),
    ("confirm", 7_196_347, 0),
)
"""How long and how many bytes, as `station demo` has it."""

_LOOKS = 3
"""So many steps are over when the attempt is committed."""

_PROGRAM = 8


# --- an attempt -------------------------------------------------------------------------------


def links_of(line: Line, number: int) -> int:
    """How many `Attempt.links` makes."""
    failed = line.failure(number)
    steps = failed[0] if failed else len(_STEPS)
    images = line.images if steps > _PROGRAM else 0
    return 2 + line.is_new(number) + steps - _LOOKS + images


class Attempt:
    def __init__(self, line: Line, number: int) -> None:
        self._line = line
        self._number = number
        self._module = line.module(number)
        self._failed = line.failure(number)
        self._package = line.package(number)
        self.opened = self._begun()
        self._id = self.opened.attempt_id
        self.steps = list(self._taken())

    def links(self) -> Iterator[Rows]:
        yield list(self._beginning())
        if self._is_new:
            seen_us = self.opened.started_utc_us + 4_000_000
            chip = Identifier(IdKind.CHIP, self._module.chip_serial, "sahara")
            yield [self._name(4, chip, seen_us)]
        for place in range(_LOOKS, self._failed[0] if self._failed else len(_STEPS)):
            if place == _PROGRAM:
                for image in self._images():
                    yield [(schema.image_sent, image)]
            yield [self._step(self.steps[place])]
        yield list(self._end())

    @property
    def _is_new(self) -> bool:
        return self._module.number == self._number

    def _begun(self) -> AttemptOpened:
        line, number, module = self._line, self._number, self._module
        tray, slot = divmod(number, TRAY)
        shift = tray // SHIFT_TRAYS
        old = OLD_VERSIONS[chance(number, "before", len(OLD_VERSIONS))]
        return AttemptOpened(
            attempt_id=line.attempt_id(number),
            station=STATION,
            site=SITE,
            slot=SLOTS[slot],
            port_path=f"{1 + slot // 8}-1.{1 + slot % 8}",
            operator=operator(shift),
            software_version=SOFTWARE,
            trigger="line",
            started_utc_us=line.began_us(number),
            unit=Unit(module.imei, module.serial, "EC25", "EC25EFA", "firmware", None, old, 1),
            identifiers=(
                Identifier(IdKind.IMEI, module.imei, "at"),
                Identifier(IdKind.SERIAL, module.serial, "at"),
            ),
            recipe=RECIPES[self._package.sha256],
            package=self._package,
            plan_sha256=PLANS[self._package.sha256][0],
            boot_id=boot_id(line, tray),
            shift_id=shift_id(line, tray),
            lot=lot_name(number),
        )

    # --- its rows -----------------------------------------------------------------------------

    def _beginning(self) -> Iterator[tuple[sa.Table, Row]]:
        yield schema.attempt_opened, opened_row(self.opened, self._module.unit_id)
        yield from map(self._step, self.steps[:_LOOKS])
        if not self._is_new:
            return
        yield schema.unit, {"id": self._module.unit_id, "station": STATION}
        for place, name in enumerate(self.opened.identifiers, start=2):
            yield self._name(place, name, self.opened.started_utc_us)
        if (twin := self._line.twin(self._number)) is not None:
            yield schema.clash, self._clash(twin)

    def _step(self, step: StepRecord) -> tuple[sa.Table, Row]:
        return schema.step, step_row(self._id, step)

    def _name(self, place: int, name: Identifier, seen_us: int) -> tuple[sa.Table, Row]:
        return schema.unit_identifier, {
            "id": key(seen_us + 1000 * place, self._number * 64 + place),
            "unit_id": self._module.unit_id,
            "kind": name.kind,
            "value": name.value,
            "source": name.source,
            "attempt_id": self._id,
            "seen_utc_us": seen_us,
        }

    def _clash(self, twin: Module) -> Row:
        return {
            **dated(self.opened.started_utc_us, self._number * 64 + 5),
            "attempt_id": self._id,
            "kind": ClashKind.IMEI.value,
            "value": twin.imei,
            "unit_id": self._module.unit_id,
            "other_unit_id": twin.unit_id,
            "detail": "{}",
        }

    def _images(self) -> Iterator[Row]:
        for place, file in enumerate(self._package.files[: self._line.images], start=1):
            yield image_row(self._id, place, ImageSent(file.path, file.sha256, file.length_bytes))

    def _end(self) -> Iterator[tuple[sa.Table, Row]]:
        closed = self.closed()
        yield schema.attempt_closed, closed_row(closed, self._module.unit_id)
        if self._failed:
            yield self._step(self.steps[-1])
        for name, value in closed.readings.items():
            yield schema.reading, {"attempt_id": self._id, "name": name, "value": value}
        for kept in closed.evidence:
            yield schema.evidence, evidence_row(self._id, kept)
        for measured in closed.measurements:
            yield schema.measurement, measurement_row(self._id, measured)

    # --- what came of it ----------------------------------------------------------------------

    def _taken(self) -> Iterator[StepRecord]:
        """The steps that were begun; the last one is what failed, if it did."""
        recipe, plan = self.opened.recipe, self.opened.plan_sha256
        details: dict[str, dict[str, str | int]] = {
            "identify": {"mode": "runtime"},
            "select": {"decision": "flash", "recipe": recipe.name if recipe else ""},
            "preflight": {"plan": plan or ""},
            "enter_edl": {"answer": "echo", "port": self.opened.port_path or ""},
            "load_programmer": {"chip_serial": self._module.chip_serial},
            "configure": {"geometry": "2048 blocks of 131072, page 2048", "payload_bytes": 8192},
            LAYOUT_STEP: {LAYOUT_STEP: LAYOUT_AGREES},
            "erase": {"erases": 11},
            "program": {"images": self._line.images},
            "confirm": {"firmware": self._line.firmware(self._number)},
        }
        pace = 9000 + chance(self._number, "pace", 2000)
        for place, (name, usual_us, length) in enumerate(_STEPS):
            has_failed = self._failed is not None and place == self._failed[0]
            outcome = StepOutcome.FAILED if has_failed else StepOutcome.OK
            lasted_us = usual_us * pace // 10_000
            yield StepRecord(place + 1, name, outcome, lasted_us, 0, length, details.get(name, {}))
            if has_failed:
                return

    def closed(self) -> AttemptClosed:
        opened, module = self.opened, self._module
        failure = Failure.of(self._failed[1]) if self._failed else None
        lasted_us = sum(step.duration_us for step in self.steps)
        version = None if failure else self._line.firmware(self._number)
        is_back = len(self.steps) == len(_STEPS)
        readings = {"firmware": version or "", "functionality": "1", "imei": module.imei}
        return AttemptClosed(
            attempt_id=self._id,
            outcome=failure.outcome if failure else Outcome.PASS,
            failure=failure,
            ended_utc_us=opened.started_utc_us + lasted_us,
            duration_us=lasted_us,
            verify=VerifyKind.NONE if failure else VerifyKind.READBACK,
            unit=replace(opened.unit, chip_serial=module.chip_serial, firmware=version),
            firmware_after=version,
            final_mode=Mode.RUNTIME if is_back else Mode.EDL,
            readings=readings if is_back else {},
            evidence=(EvidenceRef("transcript", digest(self._id), 53_972, 7_340),),
            measurements=tuple(self._measured()),
        )

    def _measured(self) -> Iterator[Measurement]:
        if len(self.steps) > _PROGRAM:
            erase, program = self.steps[_PROGRAM - 1 : _PROGRAM + 1]
            yield Measurement("erase_us", erase.duration_us, "us", None, 60_000_000)
            rate = program.bytes * 1_000_000 // program.duration_us
            yield Measurement("write_rate", rate, "B/s")
