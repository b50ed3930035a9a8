"""What people and other programs do to a tray in the middle of it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trio

from station.config import load_settings
from station.model import AttemptRecord, Event, Outcome, StepStarted
from station.transport.libusb import LibusbBackend
from tests.engine.tray import by_slot, code_of, flash_line
from tests.kernel.rehearsal import Line, Rehearsal, make_line, rehearsal
from tests.kernel.test_tray import assert_flashed, outcome, told

STEPS = (
    "identify",
    "enter_edl",
    "load_programmer",
    "configure",
    "partition_table",
    "erase",
    "program",
    "verify",
    "reset",
    "confirm",
)
UNTOUCHED = f"A{len(STEPS) + 1}"


async def flash_and_pull(tray: Rehearsal, line: Line) -> dict[str, AttemptRecord]:
    """Flash all; the module in A1 is pulled and put back when the first step begins, that in A2
    at the second, and so on."""
    step_of = {f"A{number}": step for number, step in enumerate(STEPS, start=1)}

    def pull(slot: str) -> None:
        tray.ask("unplug", slot=slot)
        tray.ask("plug", slot=slot)

    async with trio.open_nursery() as hands:

        def tell(event: Event) -> None:
            if isinstance(event, StepStarted) and step_of.get(event.slot) == event.step:
                del step_of[event.slot]
                hands.start_soon(trio.to_thread.run_sync, pull, event.slot)

        tally = await flash_line(load_settings(line.config), LibusbBackend(), wait_s=60, tell=tell)
    assert not step_of, f"these steps never came: {step_of}"
    return by_slot(tally)


def test_a_module_pulled_and_put_back_at_each_step(tmp_path: Path) -> None:
    with rehearsal(tmp_path, len(STEPS) + 1) as tray:
        line = make_line(tmp_path, tray.slots)
        records = trio.run(flash_and_pull, tray, line)

        assert sorted(records) == sorted(tray.slots)
        for slot, record in records.items():
            assert record.closed is not None, slot
            assert not (code_of(record) or "").startswith("X"), record.closed.failure
        ended = records[UNTOUCHED].closed
        assert ended is not None
        assert ended.outcome is Outcome.PASS, ended.failure

        code, attempts = line.flash("--wait", "60")
        assert {outcome(a)[0] for a in attempts.values()} <= {"PASS", "NO_CHANGE"}, told(attempts)
        assert code == 0
        for slot in tray.slots:
            assert_flashed(tray, line, slot)


@contextmanager
def stray_reader(hold_s: float, how: str = "raw") -> Iterator[None]:
    script = str(Path(__file__).with_name("stray_reader.py"))
    process = subprocess.Popen([sys.executable, script, str(hold_s), how])
    try:
        yield
    finally:
        process.kill()
        process.wait(10)


def test_a_reader_that_looks_at_every_new_tty_and_lets_go(tmp_path: Path) -> None:
    with stray_reader(0.5), rehearsal(tmp_path, 3) as tray:
        line = make_line(tmp_path, tray.slots)
        code, attempts = line.flash("--wait", "60")

        assert [outcome(attempt) for attempt in attempts.values()] == [("PASS", None)] * 3, told(
            attempts
        )
        assert code == 0
        for slot in tray.slots:
            assert_flashed(tray, line, slot)


def test_a_reader_that_echoes_costs_the_attempt_and_not_the_module(tmp_path: Path) -> None:
    with rehearsal(tmp_path, 1) as tray:
        line = make_line(tmp_path, tray.slots)
        before = tray.flash_of("A1")
        with stray_reader(0.5, "echo"):
            _, attempts = line.flash("--wait", "60")
        assert outcome(attempts["A1"]) == ("FAIL", "P102"), told(attempts)
        assert tray.flash_of("A1") == before

        _, attempts = line.flash("--wait", "60")
        assert outcome(attempts["A1"]) == ("PASS", None), told(attempts)


def test_a_reader_that_holds_every_tty_is_named(tmp_path: Path) -> None:
    with rehearsal(tmp_path, 2) as tray:
        line = make_line(tmp_path, tray.slots)
        with stray_reader(3600.0):
            code, attempts = line.flash("--wait", "60")
        for attempt in attempts.values():
            assert outcome(attempt) == ("ERROR", "U104"), told(attempts)
            assert "ttyUSB" in attempt["failure"]["cause"]
            assert "option" in attempt["failure"]["cause"]
            assert "doctor" in attempt["failure"]["remedy"]
        assert code == 3

        code, attempts = line.flash("--wait", "60")
        assert [outcome(attempt) for attempt in attempts.values()] == [("PASS", None)] * 2, told(
            attempts
        )
