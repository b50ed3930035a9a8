"""A module that was written and did not pass tells the version that it should have. Not so fast."""

from pathlib import Path

import pytest

from station.model import AttemptRecord, Outcome, VerifyKind
from station.sim.faults import Traits
from tests.engine.tray import Line, by_slot, code_of, make_line, step_named


async def flashed(line: Line) -> AttemptRecord:
    return by_slot(await line.flash())["A1"]


def put_in_again(line: Line) -> None:
    module, port = line.tray.modules["A1"], line.tray.ports["A1"]
    line.backend.unplug(port)
    line.backend.plug(port, module)


@pytest.mark.trio
@pytest.mark.parametrize("same_version", ["verify", "skip"])
async def test_what_failed_its_read_back_is_written_again(
    tmp_path: Path, tray_clock: object, same_version: str
) -> None:
    line = make_line(tmp_path, faults={"A1": "corrupt-write"})
    line.edit_recipe(same_version=same_version)
    first = await flashed(line)
    assert code_of(first) == "D210"
    put_in_again(line)
    again = await flashed(line)
    assert step_named(again, "select").detail["unproven"] == first.opened.attempt_id
    assert code_of(again) == "D210", "it spoils what is written each time"
    line.tray.modules["A1"].traits = Traits()
    put_in_again(line)
    third = await flashed(line)
    assert third.closed is not None
    assert (third.closed.outcome, third.closed.verify) == (Outcome.PASS, VerifyKind.READBACK)
    put_in_again(line)
    last = await flashed(line)
    assert last.closed is not None
    assert last.closed.outcome is Outcome.NO_CHANGE
    assert "unproven" not in step_named(last, "select").detail


@pytest.mark.trio
async def test_what_was_not_touched_is_as_good_as_before(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path)
    await flashed(line)
    line.edit_recipe(same_version="reflash")
    line.tray.modules["A1"].traits = Traits(reaches_edl=False)
    put_in_again(line)
    assert code_of(await flashed(line)) == "D211"
    line.edit_recipe(same_version="verify")
    put_in_again(line)
    closed = (await flashed(line)).closed
    assert closed is not None
    assert closed.outcome is Outcome.NO_CHANGE
