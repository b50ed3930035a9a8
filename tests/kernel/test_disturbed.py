"""What people and other programs do to a tray in the middle of it."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from station.model import Event, Outcome, StepStarted
from station.sim.mishap import STEPS
from tests.engine.tray import code_of
from tests.kernel.judge import assert_flashed, assert_verdicts
from tests.kernel.rehearsal import Line, Rehearsal, make_line, rehearsal

PULLED = {f"A{number}": step for number, step in enumerate(STEPS, start=1)}
UNTOUCHED = "A11"


@pytest.fixture(scope="module")
def tray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    with rehearsal(tmp_path_factory.mktemp("tray"), len(STEPS) + 1) as running:
        yield running


@pytest.fixture(scope="module")
def line(tray: Rehearsal, tmp_path_factory: pytest.TempPathFactory) -> Line:
    return make_line(tmp_path_factory.mktemp("line"), tray.slots)


@pytest.mark.long
def test_a_module_pulled_and_put_back_at_each_step(tray: Rehearsal, line: Line) -> None:
    """That of A1 when its first step begins, that of A2 at its second, and so on."""
    step_of = dict(PULLED)
    hands: list[threading.Thread] = []

    def pull(slot: str) -> None:
        tray.ask("unplug", slot=slot)
        tray.ask("plug", slot=slot)

    def tell(event: Event) -> None:
        if isinstance(event, StepStarted) and step_of.get(event.slot) == event.step:
            del step_of[event.slot]
            hands.append(threading.Thread(target=pull, args=(event.slot,)))
            hands[-1].start()

    records = line.flash_here(tell=tell)
    for hand in hands:
        hand.join(30)

    assert not step_of, f"these steps never came: {step_of}"
    assert sorted(records) == sorted(tray.slots)
    for slot, record in records.items():
        assert record.closed is not None, slot
        assert not (code_of(record) or "").startswith("X"), record.closed.failure
    assert_verdicts({UNTOUCHED: records[UNTOUCHED]}, {UNTOUCHED: None})

    again = line.flash_here()
    bad = {slot: f"{record.closed}" for slot, record in again.items() if code_of(record)}
    assert not bad, "\n".join(bad.values())
    for slot in tray.slots:
        assert_flashed(tray, line, slot)


@contextmanager
def stray_reader(hold_s: float) -> Iterator[None]:
    script = str(Path(__file__).with_name("stray_reader.py"))
    process = subprocess.Popen([sys.executable, script, str(hold_s)])
    try:
        yield
    finally:
        process.kill()
        process.wait(10)


def test_a_reader_that_looks_at_every_new_tty_and_lets_go(tray: Rehearsal, line: Line) -> None:
    """Until it has told a tty to be raw, that tty sends back what the module says."""
    fresh = dict.fromkeys((f"A{number}" for number in range(1, 9)), "read-zlp")
    with stray_reader(0.5):
        tray.swap(fresh)
        assert_verdicts(line.flash_here(*fresh), dict.fromkeys(fresh))
    for slot in fresh:
        assert_flashed(tray, line, slot, alone=False)


def test_a_reader_that_holds_every_tty_is_named(tray: Rehearsal, line: Line) -> None:
    fresh = dict.fromkeys(("A5", "A6"), "read-zlp")
    with stray_reader(3600.0):
        tray.swap(fresh)
        records = line.flash_here(*fresh)
    assert_verdicts(records, dict.fromkeys(fresh, (Outcome.ERROR, "U104")))
    for record in records.values():
        assert record.closed is not None
        assert record.closed.failure is not None
        for word in ("ttyUSB", "option", "python"):
            assert word in record.closed.failure.cause
        assert "doctor" in record.closed.failure.remedy
