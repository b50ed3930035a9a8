"""What is refused is refused before anything is written, and the module is given back."""

from dataclasses import replace
from pathlib import Path

import pytest

from station.engine.world import Order
from station.model import Mode, Outcome, StepOutcome
from tests.engine.tray import by_slot, code_of, make_line, no_breaches, step_named


@pytest.mark.trio
@pytest.mark.parametrize(
    ("fault", "code"),
    [("wrong-programmer", "D203"), ("mibib-moved", "D205"), ("wrong-geometry", "D204")],
)
async def test_a_failure_before_the_first_erase_gives_the_module_back_unchanged(
    tmp_path: Path, tray_clock: object, fault: str, code: str
) -> None:
    line = make_line(tmp_path, faults={"A1": fault})
    flash_before = line.fingerprint("A1")
    with no_breaches(line.tray):
        record = by_slot(await line.flash())["A1"]
    closed = record.closed
    assert closed is not None
    assert (closed.outcome, code_of(record)) == (Outcome.FAIL, code)
    given_back = step_named(record, "give_back")
    assert given_back.outcome is StepOutcome.OK
    assert given_back.detail["unchanged"] == "yes"
    assert closed.firmware_after == record.opened.unit.firmware
    assert closed.final_mode is Mode.RUNTIME
    assert line.fingerprint("A1") == flash_before


@pytest.mark.trio
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"match": {"sku": ["RM500Q*"]}}, "R302"),
        ({"match": {"sku": ["EC25EFA*"], "tac": ["00000001"]}}, "D224"),
        ({"allow_from": ["EC25EFAR07*"]}, "R306"),
        ({"match": {"sku": ["EC*"]}}, None),
    ],
)
async def test_rules_of_the_recipe_refuse_before_the_switch(
    tmp_path: Path, tray_clock: object, changes: dict[str, object], code: str | None
) -> None:
    line = make_line(tmp_path)
    line.edit_recipe(**changes)
    record = by_slot(await line.flash())["A1"]
    assert code_of(record) == code
    if code is not None:
        assert record.closed is not None
        assert record.closed.outcome is Outcome.BLOCKED
        assert record.closed.final_mode is Mode.RUNTIME


@pytest.mark.trio
async def test_a_label_that_names_another_variant_is_blocked(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path)
    record = by_slot(await line.flash(order=Order("test", label="RM500QGLAA")))["A1"]
    assert code_of(record) == "R304"
    agreed = by_slot(await line.flash(order=Order("test", label="EC25EFA-512-STD")))["A1"]
    assert code_of(agreed) is None
    assert (agreed.opened.unit.sku, agreed.opened.unit.sku_source) == (
        "EC25EFA-512-STD",
        "operator",
    )


@pytest.mark.trio
async def test_one_imei_in_two_slots_is_flashed_in_neither_twice(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path, slots=2)
    line.tray.modules["A2"].identity = line.tray.modules["A1"].identity
    codes = [code_of(record) for record in by_slot(await line.flash()).values()]
    assert sorted(map(str, codes)) == ["D216", "None"]


@pytest.mark.trio
@pytest.mark.parametrize(
    ("imei", "code"),
    [("004999010640000", "D223"), ("0" * 15, "D223"), ("861234567890123", "D215")],
)
async def test_an_imei_that_is_nobodys_own_is_refused_as_that_in_each_slot(
    tmp_path: Path, tray_clock: object, imei: str, code: str
) -> None:
    line = make_line(tmp_path, slots=2)
    for module in line.tray.modules.values():
        module.identity = replace(module.identity, imei=imei)
    codes = [code_of(record) for record in by_slot(await line.flash()).values()]
    assert codes == [code, code]


@pytest.mark.trio
async def test_the_same_version_is_no_change_unless_the_recipe_says_otherwise(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path)
    assert code_of(by_slot(await line.flash())["A1"]) is None
    for policy, outcome, verify in (
        ("verify", Outcome.NO_CHANGE, "version"),
        ("skip", Outcome.NO_CHANGE, "none"),
        ("reflash", Outcome.PASS, "readback"),
    ):
        line.edit_recipe(same_version=policy)
        closed = by_slot(await line.flash())["A1"].closed
        assert closed is not None
        assert (closed.outcome, closed.verify.value) == (outcome, verify), policy
    assert len(line.recorded(slot="A1")) == 4


@pytest.mark.trio
async def test_a_damaged_package_is_found_before_the_module_is_switched(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path)
    for stored in (tmp_path / "store" / "objects").rglob("*"):
        if stored.is_file() and stored.stat().st_size > 100_000:
            stored.chmod(0o644)
            stored.write_bytes(stored.read_bytes()[:-1] + b"!")
    record = by_slot(await line.flash())["A1"]
    assert code_of(record) == "F409"
    assert record.closed is not None
    assert record.closed.outcome is Outcome.ERROR
    assert record.closed.final_mode is Mode.RUNTIME
