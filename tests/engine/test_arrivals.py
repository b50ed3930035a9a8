"""Modules that do not arrive in normal mode."""

from pathlib import Path

import pytest

from station.engine.world import Order
from station.model import Mode, Outcome
from station.sim.faults import Traits
from tests.engine.tray import by_slot, code_of, make_line, no_breaches

NAMED = Order("test", recipe="ec25-efa-demo", names_slot=True)


@pytest.mark.trio
@pytest.mark.parametrize("fault", ["arrives-in-edl", "arrives-programmer-running"])
async def test_a_stranger_in_edl_is_flashed_only_by_name(
    tmp_path: Path, tray_clock: object, fault: str
) -> None:
    line = make_line(tmp_path, faults={"A1": fault})
    with no_breaches(line.tray):
        refused = by_slot(await line.flash())["A1"]
        assert code_of(refused) == "D212"
        assert refused.closed is not None
        assert refused.closed.outcome is Outcome.BLOCKED
        flashed = by_slot(await line.flash(order=NAMED))["A1"]
    assert flashed.closed is not None
    assert flashed.closed.outcome is Outcome.PASS, flashed.closed.failure


@pytest.mark.trio
async def test_a_module_known_by_its_chip_serial_is_flashed_from_edl(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path, faults={"A1": "nak"})
    first = by_slot(await line.flash())["A1"]
    assert code_of(first) == "P112"
    assert first.closed is not None
    assert first.closed.final_mode is Mode.EDL
    line.tray.modules["A1"].traits = Traits()
    again = by_slot(await line.flash())["A1"]
    assert again.closed is not None
    assert again.closed.outcome is Outcome.PASS, again.closed.failure
    assert again.opened.unit.imei == first.opened.unit.imei


@pytest.mark.trio
async def test_a_crashed_module_gets_a_verdict_that_says_what_to_do(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path, faults={"A1": "arrives-900e"})
    record = by_slot(await line.flash())["A1"]
    assert code_of(record) == "D202"
    assert record.closed is not None
    assert record.closed.failure is not None
    assert "Power-cycle" in record.closed.failure.remedy
    assert record.closed.final_mode is Mode.CRASHED
