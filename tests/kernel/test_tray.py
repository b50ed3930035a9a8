"""A tray from end to end on a real kernel: its drivers bound, its modules leaving and returning."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.test_tray import EIGHT_FAULTS
from tests.kernel.judge import assert_flashed, assert_verdicts, drivers, outcome, told
from tests.kernel.kernel import until
from tests.kernel.rehearsal import Line, Rehearsal, make_line, rehearsal
from tests.programs import begun

EIGHT = [f"A{number}" for number in range(1, 9)]
BOUND = ["option"] * 4 + ["qmi_wwan"]
OTHERS = [f"A{number}" for number in range(9, 16)]
HARMLESS = (
    "at-echo-urc-noise",
    "no-echo",
    "missed-hello",
    "sahara-v3",
    "no-serial-string",
    "bad-blocks",
    "read-zlp",
)


@pytest.fixture(scope="module")
def tray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """Begun by its command line."""
    with rehearsal(tmp_path_factory.mktemp("tray"), 15, begin=begun) as running:
        yield running


@pytest.fixture(scope="module")
def line(tray: Rehearsal, tmp_path_factory: pytest.TempPathFactory) -> Line:
    return make_line(tmp_path_factory.mktemp("line"), tray.slots)


def test_eight_modules_pass_with_the_kernels_drivers_bound(tray: Rehearsal, line: Line) -> None:
    assert until(lambda: all(drivers(tray, slot) == BOUND for slot in EIGHT), 60)

    chosen = [word for slot in EIGHT for word in ("--slot", slot)]
    code, attempts = line.flash("--wait", "60", *chosen, begin=begun)

    assert [outcome(attempts[slot]) for slot in EIGHT] == [("PASS", None)] * 8, told(attempts)
    assert code == 0
    for slot in EIGHT:
        assert_flashed(tray, line, slot)
    assert until(lambda: all(drivers(tray, slot) == BOUND for slot in EIGHT), 60)
    kernel_log = Path("/dev/kmsg")
    assert "Qualcomm USB modem converter now attached" in _read_all(kernel_log), (
        "qcserial was there"
    )


def test_eight_faults_give_eight_codes(tray: Rehearsal, line: Line) -> None:
    tray.swap({slot: fault for slot, (fault, _, _) in EIGHT_FAULTS.items()})
    expected = {slot: (verdict, code) for slot, (_, code, verdict) in EIGHT_FAULTS.items()}
    assert_verdicts(line.flash_here(*EIGHT_FAULTS), expected)


@pytest.mark.long
def test_what_is_merely_odd_passes(tray: Rehearsal, line: Line) -> None:
    odd = dict(zip(OTHERS, HARMLESS, strict=True))
    tray.swap(odd)
    assert_verdicts(line.flash_here(*odd), dict.fromkeys(odd))
    for slot in odd:
        assert_flashed(tray, line, slot)


def _read_all(kernel_log: Path) -> str:
    """All that the kernel said since it booted."""
    said = b""
    descriptor = os.open(kernel_log, os.O_RDONLY | os.O_NONBLOCK)
    try:
        while True:
            said += os.read(descriptor, 8192)
    except BlockingIOError:
        return said.decode(errors="replace")
    finally:
        os.close(descriptor)
