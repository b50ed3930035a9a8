"""What was measured of an attempt is on record with it."""

from collections.abc import Collection
from pathlib import Path

import pytest
import trio

from station.model import AttemptRecord, Measurement, StepOutcome
from station.places import PortPath
from station.transport.base import Leaving, PowerProof, Switched, nobody
from tests.engine.tray import by_slot, make_line, step_named


def of(record: AttemptRecord) -> dict[str, Measurement]:
    assert record.closed is not None
    return {one.name: one for one in record.closed.measurements}


@pytest.mark.trio
async def test_a_good_flash_measures_itself(tmp_path: Path, tray_clock: object) -> None:
    line = make_line(tmp_path, faults={"A1": "bad-blocks-raw"})
    record = by_slot(await line.flash())["A1"]
    found = of(record)
    program = step_named(record, "program")
    assert found["write_rate"].value == program.bytes * 1_000_000 // program.duration_us > 100_000
    assert found["write_rate"].unit == found["verify_rate"].unit == "B/s"
    assert found["erase_us"] == Measurement(
        "erase_us", step_named(record, "erase").duration_us, "us", None, 120_000_000
    )
    returned = found["return_us"]
    assert 0 < returned.value < step_named(record, "confirm").duration_us
    assert returned.highest == 90_000_000
    skipped = sum(map(int, step_named(record, "verify").detail.values()))
    assert found["bad_blocks"].value == skipped > 0
    assert found["retries"].value == 0
    assert found["power_cycles"] == Measurement("power_cycles", 0, "1", None, 1)
    assert of(line.recorded(slot="A1")[0]) == found


@pytest.mark.trio
async def test_a_cycle_of_its_power_is_counted(tmp_path: Path, tray_clock: object) -> None:
    line = make_line(tmp_path, faults={"A1": "no-return-once"})
    line.switch_power()
    found = of(by_slot(await line.flash())["A1"])
    assert (found["power_cycles"].value, found["retries"].value) == (1, 1)
    assert found["return_us"].value > 90_000_000, "since it was told to"


@pytest.mark.trio
@pytest.mark.parametrize("can_switch", [True, False])
async def test_one_that_did_not_help_is_counted_if_the_power_was_off(
    tmp_path: Path, tray_clock: object, can_switch: bool
) -> None:
    line = make_line(tmp_path, faults={"A1": "no-return"})
    line.switch_power()
    if not can_switch:
        line.power = Unswitchable()
    record = by_slot(await line.flash())["A1"]
    (rung,) = [step for step in record.steps if step.name == "recover"]
    assert (rung.outcome, rung.detail["rung"]) == (StepOutcome.FAILED, "cycle the power")
    assert of(record)["power_cycles"].value == can_switch


class Unswitchable:
    async def cycle(
        self,
        ports: Collection[PortPath],
        *,
        off_s: float,
        blind: bool = False,
        is_leaving: Leaving = nobody,
    ) -> PowerProof:
        await trio.lowlevel.checkpoint()
        return PowerProof(Switched.NO_ACCESS, "no right to the hub")


@pytest.mark.trio
async def test_nothing_is_measured_of_a_module_that_was_only_looked_at(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path)
    line.edit_recipe(allow_from=["EC25EFAR07*"])
    assert of(by_slot(await line.flash())["A1"]) == {}
