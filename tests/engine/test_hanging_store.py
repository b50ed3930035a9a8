"""A package store that stops answering while modules wait: no slot hangs, no unit is blamed."""

from pathlib import Path
from typing import Any

import pytest
import trio

from station.disk import STORE_S
from station.firmware.stored import StoredFile
from station.model import Outcome, StepStarted
from tests.engine.tray import by_slot, code_of, make_line, step_named


class _Hangs(BaseException):
    """Whoever reads waits for ever. Outside of a thread that would be all of us."""


@pytest.mark.trio
@pytest.mark.parametrize("step", ["load_programmer", "verify"])
async def test_a_disk_that_hangs_is_the_stations_and_not_the_units(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    line, now = make_line(tmp_path), ""
    in_place, pread = trio.to_thread.run_sync, StoredFile.pread

    def hear(event: object) -> None:
        nonlocal now
        if isinstance(event, StepStarted):
            now = event.step

    def hang(self: StoredFile, offset_bytes: int, length_bytes: int) -> bytes:
        if now == step:
            raise _Hangs
        return pread(self, offset_bytes, length_bytes)

    async def run(call: Any, *args: object, **how: Any) -> object:  # noqa: ANN401 - trio's own signature
        try:
            return await in_place(call, *args, **how)
        except _Hangs:
            assert how["abandon_on_cancel"]
            await trio.sleep_forever()

    line.tell = hear
    with monkeypatch.context() as patched:
        patched.setattr(StoredFile, "pread", hang)
        patched.setattr(trio.to_thread, "run_sync", run)
        record = by_slot(await line.flash())["A1"]
    assert code_of(record) == "S506"
    assert record.closed is not None
    assert record.closed.outcome is Outcome.ERROR
    assert record.closed.failure is not None
    assert "could not be read from the package store within 10 s" in record.closed.failure.cause
    assert step_named(record, step).duration_us < (STORE_S + 10) * 1_000_000

    record = by_slot(await line.flash())["A1"]
    assert record.closed is not None
    assert record.closed.outcome is Outcome.PASS, record.closed.failure
