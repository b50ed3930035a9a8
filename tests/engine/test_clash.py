"""Names that cannot be right: nothing is written, it is on record, and both units are held."""

from dataclasses import replace
from pathlib import Path

import pytest

from station.errors import NotNow, UsageError
from station.model import AttemptRecord, Identifier, IdKind, Mode, Outcome, Unit
from station.sim.factory import with_check_digit
from station.sim.module import Identity
from station.store.clashes import find_clashes
from station.store.revision import create_if_missing
from station.store.unit_events import (
    QUARANTINED,
    RELEASED,
    Judgement,
    UnitEvent,
    find_quarantined,
    find_unit_events,
)
from station.store.writer import now_utc_us, open_store
from tests.engine.tray import Line, by_slot, code_of, make_line, no_breaches, step_named
from tests.store.samples import attempt, verdict

OTHER_CHIP = "0badcafe"
OTHER_IMEI = with_check_digit("86426605999999")


def outcome(record: AttemptRecord) -> tuple[Outcome, str | None]:
    assert record.closed is not None
    return record.closed.outcome, code_of(record)


def cause(record: AttemptRecord) -> str:
    assert record.closed is not None
    assert record.closed.failure is not None
    return record.closed.failure.cause


async def swap(line: Line, **names: str) -> Identity:
    """After a good flash another module is in the slot: on the old version, with these names in
    place of the first one's, which are returned."""
    await line.flash()
    first = line.tray.modules["A1"].identity
    put_in(line, replace(first, **names), "second")
    return first


def put_in(line: Line, identity: Identity, folder: str) -> None:
    """A module that goes by this name, on the old version. `folder`: a new one, for its making."""
    fresh = make_line(line.folder / folder).tray.modules["A1"]
    fresh.identity = identity
    line.tray.modules["A1"] = fresh  # type: ignore[index]  # the tray's own dict
    line.backend.plug(line.tray.ports["A1"], fresh)


async def judged(line: Line, name: str, kind: str) -> UnitEvent:
    said = Judgement(name, kind, "line", now_utc_us(), "eva", "looked at the label")
    async with open_store(line.settings().database) as store:
        return await store.judge_unit(said)


def held(line: Line) -> int:
    return len(find_quarantined(line.settings().database))


BLOCKED = Outcome.BLOCKED
GOOD = (Outcome.PASS, None)


@pytest.mark.trio
async def test_an_imei_with_another_chip_is_refused_before_anything_is_written(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path)
    first = await swap(line, chip_serial=OTHER_CHIP, serial="COPY")
    before = line.fingerprint("A1")
    with no_breaches(line.tray):
        record = by_slot(await line.flash())["A1"]
    assert outcome(record) == (BLOCKED, "D222")
    assert step_named(record, "give_back").detail["unchanged"] == "yes"
    assert line.fingerprint("A1") == before
    for told in (first.imei, first.chip_serial, OTHER_CHIP, "in slot A1 of"):
        assert told in cause(record)
    (clash,) = find_clashes(line.settings().database)
    assert (clash.kind, clash.value, clash.attempt_id) == (
        "imei",
        first.imei,
        record.opened.attempt_id,
    )
    assert clash.unit_id not in (None, clash.other_unit_id)
    assert {f"imei {first.imei}", f"chip {OTHER_CHIP}"} <= set(clash.names)
    assert {f"imei {first.imei}", f"chip {first.chip_serial}"} <= set(clash.other_names)
    assert f"chip {OTHER_CHIP}" not in clash.other_names
    assert held(line) == 2


@pytest.mark.trio
async def test_a_chip_with_another_imei_is_refused(tmp_path: Path, tray_clock: object) -> None:
    line = make_line(tmp_path)
    first = await swap(line, imei=OTHER_IMEI)
    record = by_slot(await line.flash())["A1"]
    assert outcome(record) == (BLOCKED, "D222")
    (clash,) = find_clashes(line.settings().database)
    assert (clash.kind, clash.value) == ("chip", first.chip_serial)
    assert held(line) == 2


@pytest.mark.trio
async def test_a_held_unit_is_not_touched_and_a_released_one_is_no_clash_again(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path)
    first = await swap(line, imei=OTHER_IMEI)
    await line.flash()
    record = by_slot(await line.flash())["A1"]
    assert outcome(record) == (BLOCKED, "D225")
    assert "the station put it in quarantine" in cause(record)
    assert all(step.name != "enter_edl" for step in record.steps)
    with pytest.raises(UsageError, match="2 units go by"):
        await judged(line, first.chip_serial, RELEASED)
    await judged(line, OTHER_IMEI, RELEASED)
    assert outcome(by_slot(await line.flash())["A1"]) == GOOD
    assert len(find_clashes(line.settings().database)) == 1
    assert held(line) == 1, "the other name of this chip stays in quarantine"


@pytest.mark.trio
async def test_of_two_with_one_imei_the_one_that_was_released_is_flashed(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path)
    first = await swap(line, chip_serial=OTHER_CHIP)
    await line.flash()
    await judged(line, OTHER_CHIP, RELEASED)
    assert outcome(by_slot(await line.flash())["A1"]) == GOOD
    put_in(line, first, "third")
    record = by_slot(await line.flash())["A1"]
    assert outcome(record) == (BLOCKED, "D225"), "its chip serial says that it is the other"
    assert record.closed is not None
    assert record.closed.final_mode is Mode.RUNTIME


@pytest.mark.trio
@pytest.mark.parametrize(
    ("imei", "code", "kind"),
    [
        ("0" * 15, "D223", "default_imei"),
        ("004999010640000", "D223", "default_imei"),
        ("864266059999990", "D215", "check_digit"),
    ],
)
async def test_a_number_that_is_no_imei_is_evidence_and_holds_nobody(
    tmp_path: Path, tray_clock: object, imei: str, code: str, kind: str
) -> None:
    line = make_line(tmp_path)
    module = line.tray.modules["A1"]
    module.identity = replace(module.identity, imei=imei)
    assert outcome(by_slot(await line.flash())["A1"]) == (BLOCKED, code)
    (clash,) = find_clashes(line.settings().database)
    assert (clash.kind, clash.value, clash.other_unit_id) == (kind, imei, None)
    assert held(line) == 0


@pytest.mark.trio
async def test_a_tac_that_no_recipe_for_this_sku_lists(tmp_path: Path, tray_clock: object) -> None:
    line = make_line(tmp_path)
    line.edit_recipe(match={"sku": ["EC25EFA*"], "tac": ["00000001"]})
    assert outcome(by_slot(await line.flash())["A1"]) == (BLOCKED, "D224")
    (clash,) = find_clashes(line.settings().database)
    assert (clash.kind, clash.value) == (
        "foreign_tac",
        line.tray.modules["A1"].identity.imei[:8],
    )
    assert held(line) == 0


@pytest.mark.trio
async def test_the_same_unit_again_and_one_first_seen_by_its_chip_are_no_clash(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path, faults={"A1": "arrives-in-edl"})
    assert outcome(by_slot(await line.flash())["A1"]) == (BLOCKED, "D212")
    fresh = make_line(tmp_path / "fresh").tray.modules["A1"]
    fresh.identity = line.tray.modules["A1"].identity
    line.backend.plug(line.tray.ports["A1"], fresh)
    assert outcome(by_slot(await line.flash())["A1"]) == GOOD
    line.edit_recipe(same_version="reflash")
    assert outcome(by_slot(await line.flash())["A1"]) == GOOD
    assert find_clashes(line.settings().database) == []


@pytest.mark.trio
async def test_an_engineer_holds_a_unit_and_lets_it_go(tmp_path: Path, tray_clock: object) -> None:
    line = make_line(tmp_path)
    line.edit_recipe(same_version="reflash")
    await line.flash()
    imei = line.tray.modules["A1"].identity.imei
    await judged(line, imei, QUARANTINED)
    with pytest.raises(NotNow, match="already"):
        await judged(line, imei, QUARANTINED)
    record = by_slot(await line.flash())["A1"]
    assert outcome(record) == (BLOCKED, "D225")
    assert "eva put it in quarantine" in cause(record)
    assert cause(record).endswith("looked at the label")
    await judged(line, imei, RELEASED)
    with pytest.raises(NotNow, match="not in quarantine"):
        await judged(line, imei, RELEASED)
    assert outcome(by_slot(await line.flash())["A1"]) == GOOD
    kinds = [event.kind for event in find_unit_events(line.settings().database, name=imei)]
    assert kinds == [QUARANTINED, RELEASED]
    with pytest.raises(UsageError, match="no unit was ever seen"):
        await judged(line, "nobody", QUARANTINED)
    assert Identifier(IdKind.IMEI, imei, "at") in record.opened.identifiers


@pytest.mark.trio
async def test_a_unit_that_was_held_by_its_chip_alone_is_not_touched(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path)
    chip = line.tray.modules["A1"].identity.chip_serial
    in_edl = attempt(
        unit=Unit(chip_serial=chip), identifiers=(Identifier(IdKind.CHIP, chip, "sahara"),)
    )
    create_if_missing(line.settings().database)
    async with open_store(line.settings().database) as store:
        await store.open_attempt(in_edl)
        await store.close_attempt(verdict(in_edl, unit=in_edl.unit))
    await judged(line, chip, QUARANTINED)
    for _ in range(2):
        record = by_slot(await line.flash())["A1"]
        assert outcome(record) == (BLOCKED, "D225")
        assert "erase" not in {step.name for step in record.steps}
        assert record.closed is not None
        assert record.closed.final_mode is Mode.RUNTIME


@pytest.mark.trio
async def test_two_modules_of_one_tray_with_one_chip_serial(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path, slots=3, faults={"A1": "copied-chip", "A2": "copied-chip"})
    with no_breaches(line.tray):
        records = by_slot(await line.flash())
    codes = {slot: code_of(record) for slot, record in records.items()}
    assert {codes["A1"], codes["A2"]} <= {"D222", "D225"}, "neither is shown as good"
    assert codes["A3"] is None
    assert held(line) == 2
