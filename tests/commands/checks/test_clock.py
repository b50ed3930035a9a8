"""The wall clock."""

import sqlite3

import pytest

from station.commands.checks.clock import clock
from station.commands.checks.finding import Grade
from station.commands.checks.ground import kernel_clock_state
from tests.commands.checks.conftest import NOW_UTC_US, Machine, only, wrong


def event(machine: Machine, utc_us: int) -> None:
    with sqlite3.connect(machine.config.with_name("station.sqlite")) as record:
        record.execute(
            "INSERT INTO station_event (id, station, utc_us, kind, detail) VALUES (?,?,?,?,?)",
            ("e1", "demo", utc_us, "started", "{}"),
        )
    record.close()


def test_a_clock_that_is_set_and_later_than_the_record(machine: Machine) -> None:
    event(machine, NOW_UTC_US - 1)
    assert wrong(clock, machine) == []


def test_nobody_sets_the_clock(machine: Machine) -> None:
    machine.clock_state = 5
    assert only(clock, machine).grade is Grade.WARN
    machine.write("run/systemd/timesync/synchronized", "")
    assert wrong(clock, machine) == []


def test_a_clock_before_the_record(machine: Machine) -> None:
    event(machine, NOW_UTC_US + 3_600_000_000)
    finding = only(clock, machine)
    assert finding.grade is Grade.BAD
    assert "2030-03-17 18:46:40 UTC" in finding.what


@pytest.mark.parametrize("utc_us", [1 << 62, (1 << 63) - 1])
def test_a_row_from_beyond_the_calendar(machine: Machine, utc_us: int) -> None:
    event(machine, utc_us)
    assert only(clock, machine).what == f"the record already has a row of {utc_us} us"


def test_the_kernel_answers() -> None:
    assert kernel_clock_state() in range(6)
