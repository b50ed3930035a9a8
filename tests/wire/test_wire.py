"""The contract of `--json` and `--csv`, byte for byte."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from station.errors import NoUsb
from station.model import (
    AGAIN_STEP,
    AttemptRecord,
    Failure,
    Mode,
    Outcome,
    PackageRef,
    StepOutcome,
    StepRecord,
    Unit,
    VerifyKind,
)
from station.wire import ATTEMPT_COLUMNS, attempt_json, attempt_line, attempt_row
from tests.store.samples import BOOT, IDENTIFY, PROGRAM, attempt, failed, verdict

GOLDEN = Path(__file__).parent / "golden"
ID = "01a1fb31-798c-75cd-b123-e1a12b926488"
OTHER_ID = "01a1fb30-5dd2-7b6e-a4f0-1c9a5de0b7a2"


def _passed() -> AttemptRecord:
    opened = attempt(attempt_id=ID)
    return AttemptRecord(opened, verdict(opened), (IDENTIFY, PROGRAM), (BOOT,))


def _failed() -> AttemptRecord:
    opened = attempt(attempt_id=ID)
    return AttemptRecord(opened, failed(opened, verify=VerifyKind.NONE), (IDENTIFY,), ())


def _no_usb() -> AttemptRecord:
    opened = attempt(
        attempt_id=ID,
        port_path=None,
        unit=Unit(),
        identifiers=(),
        recipe=None,
        package=None,
        plan_sha256=None,
        plan_json=None,
    )
    closed = verdict(
        opened,
        outcome=Outcome.BLOCKED,
        failure=Failure.of(NoUsb("slot A1 is empty")),
        duration_us=5_000_000,
        verify=VerifyKind.NONE,
        unit=Unit(),
        firmware_after=None,
        final_mode=Mode.ABSENT,
        readings={},
    )
    return AttemptRecord(opened, closed, (), ())


def _still_open() -> AttemptRecord:
    return AttemptRecord(attempt(attempt_id=ID), None, (IDENTIFY,), ())


def _again() -> AttemptRecord:
    """The second attempt on a module."""
    detail = {"attempt": "2 of 2", "follows": OTHER_ID, "because": "P113 NO ANSWER"}
    again = StepRecord(1, AGAIN_STEP, StepOutcome.OK, 0, detail=detail)
    opened = attempt(attempt_id=ID, trigger="again")
    return AttemptRecord(opened, verdict(opened), (again,), ())


RECORDS = {
    "again": _again(),
    "pass": _passed(),
    "fail": _failed(),
    "no_usb": _no_usb(),
    "still_open": _still_open(),
}


@pytest.mark.parametrize("name", RECORDS)
def test_golden_line(name: str) -> None:
    assert attempt_line(RECORDS[name]) == (GOLDEN / f"{name}.json").read_text().rstrip("\n")


@pytest.mark.parametrize("name", RECORDS)
def test_the_keys_are_those_of_the_contract(name: str) -> None:
    line = json.loads(attempt_line(RECORDS[name]))
    assert list(line) == [
        "attempt_id",
        "slot",
        "port_path",
        "outcome",
        "failure",
        "unit",
        "recipe",
        "package",
        "verify",
        "images",
        "started_utc",
        "duration_s",
        "steps",
        "evidence",
        "follows",
        "measurements",
        "station",
        "operator",
        "lot",
        "shift_id",
        "campaign_id",
        "boot_id",
        "purpose",
    ]
    assert list(line["unit"]) == [
        "imei",
        "serial",
        "model",
        "sku",
        "sku_source",
        "chip_serial",
        "fw_before",
        "fw_after",
    ]
    for key, keys in (
        ("failure", ["code", "cause", "remedy"]),
        ("recipe", ["name", "revision", "sha256"]),
        ("package", ["name", "sha256"]),
    ):
        assert line[key] is None or list(line[key]) == keys
    for image in line["images"]:
        assert list(image) == ["name", "sha256_sent", "bytes"]
    for measured in line["measurements"]:
        assert list(measured) == ["name", "value", "unit", "lowest", "highest"]
    for step in line["steps"]:
        assert list(step) == ["name", "outcome", "duration_s", "bytes"]
    assert line == attempt_json(RECORDS[name])


def test_what_was_learned_fills_the_gaps_of_the_unit() -> None:
    opened = attempt(unit=Unit(chip_serial="1f0a2b3c"), identifiers=())
    closed = verdict(opened, unit=Unit(imei="864266050000011", chip_serial="ffffffff"))
    unit = attempt_json(AttemptRecord(opened, closed, (), ()))["unit"]
    assert isinstance(unit, dict)
    assert (unit["imei"], unit["chip_serial"]) == ("864266050000011", "1f0a2b3c")


def test_a_line_stays_a_line() -> None:
    record = _failed()
    assert record.closed is not None
    assert record.closed.failure is not None
    failure = replace(record.closed.failure, cause="log:\r\n\u2028\udc80 <?xml\0")
    line = attempt_line(replace(record, closed=replace(record.closed, failure=failure)))
    assert line.isascii()
    assert len(line.splitlines()) == 1
    assert json.loads(line)["failure"]["cause"] == "log:\r\n\u2028\udc80 <?xml\0"


@pytest.mark.parametrize("name", RECORDS)
def test_a_row_has_a_cell_for_each_column(name: str) -> None:
    row = dict(zip(ATTEMPT_COLUMNS, attempt_row(RECORDS[name]), strict=True))
    line = json.loads(attempt_line(RECORDS[name]))
    assert row["attempt_id"] == ID
    assert row["started_utc"] == "2026-09-21T14:13:20.123456Z"
    assert row["outcome"] == (line["outcome"] or "")
    assert row["imei"] == (line["unit"]["imei"] or "")
    assert row["failure_code"] == (line["failure"]["code"] if line["failure"] else "")
    assert row["recipe_revision"] == ("3" if line["recipe"] else "")
    assert row["package_name"] == (line["package"]["name"] if line["package"] else "")


def test_a_cell_never_becomes_a_formula() -> None:
    opened = attempt(
        unit=Unit(serial="=cmd|' /C calc'!A0", model="@x"), package=PackageRef("-x", "")
    )
    row = dict(zip(ATTEMPT_COLUMNS, attempt_row(AttemptRecord(opened, None, (), ())), strict=True))
    assert row["serial"] == "'=cmd|' /C calc'!A0"
    assert row["model"] == "'@x"
    assert row["package_name"] == "'-x"
