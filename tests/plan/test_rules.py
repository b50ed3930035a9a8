"""The rules: each named breach is refused in words; for random lists a second judge agrees."""

from dataclasses import replace

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from station.errors import PlanRefused
from station.model import FileRef
from station.plan import (
    Erase,
    FlashPlan,
    Geometry,
    Operation,
    Program,
    Region,
    VendorLine,
    check_plan,
)

SECTOR = 2048
PER_BLOCK = 4
SECTORS = 64

SBL = Region("SBL", 0, 8)
MIBIB = Region("MIBIB", 8, 4)
EFS2 = Region("EFS2", 12, 12)
RAWDATA = Region("RAWDATA", 24, 4)
TZ = Region("TZ", 28, 8)
SYSTEM = Region("system", 36, 28)


def program(region: Region, sectors: int, start: int | None = None) -> Program:
    file = FileRef(f"update/{region.name}.mbn", "22" * 32, sectors * SECTOR - 7)
    return Program(file, region.start_sector if start is None else start, sectors, region.name)


def erase(region: Region) -> Erase:
    return Erase(region.start_sector, region.num_sectors, region.name)


GOOD: tuple[Operation, ...] = (
    erase(SBL),
    erase(SYSTEM),
    erase(TZ),
    erase(MIBIB),
    program(MIBIB, 2),
    program(TZ, 5),
    program(SYSTEM, 21),
    program(SBL, 3),
)


def plan_of(*operations: Operation) -> FlashPlan:
    return FlashPlan(
        procedure="quectel_edl",
        version="EC25EFAR06A08M4G_01.003.01.003",
        verify="readback",
        geometry=Geometry(SECTOR, PER_BLOCK),
        programmer=FileRef("update/firehose/prog.mbn", "11" * 32, 1000),
        operations=operations,
        partitions=(SBL, MIBIB, EFS2, RAWDATA, TZ, SYSTEM),
        protected=(EFS2, RAWDATA),
        partition_table=MIBIB,
    )


def test_a_good_plan_passes() -> None:
    check_plan(plan_of(*GOOD))


SHORT_MIBIB = replace(MIBIB, num_sectors=2)

BREACHES: dict[str, tuple[tuple[Operation, ...], str]] = {
    "nothing to do": ((), "the boot loader at sector 0 is written 0 times"),
    "no boot loader written": (GOOD[:-1], "the boot loader at sector 0 is written 0 times"),
    "boot loader written twice": ((*GOOD, GOOD[-1]), "is written 2 times"),
    "boot loader not erased": (GOOD[1:], r"SBL \(sectors 0 to 2\) is not erased before all else"),
    "boot loader erased second": (
        (GOOD[1], GOOD[0], *GOOD[2:]),
        r"SBL .* is not erased before all else",
    ),
    "boot loader erased in part": (
        (Erase(0, 4, "SBL"), *GOOD[1:-1], program(SBL, 5)),
        "SBL .* is not erased before all else",
    ),
    "boot loader not last": ((*GOOD[:-2], GOOD[-1], GOOD[-2]), "SBL .* is not written last"),
    "erased after write": (
        (*GOOD[:-1], erase(TZ), GOOD[-1]),
        r"TZ \(sectors 28 to 32\) is erased after it was written",
    ),
    "written, never erased": ((*GOOD[:2], *GOOD[3:]), "TZ .* is written but not fully erased"),
    "erased in part": (
        (*GOOD[:2], Erase(28, 4, "TZ"), *GOOD[3:]),
        "TZ .* is written but not fully erased",
    ),
    "a gap between erases": (
        (*GOOD[:2], Erase(28, 4, "TZ"), *GOOD[3:5], program(TZ, 8), *GOOD[6:]),
        "TZ .* is written but not fully erased",
    ),
    "program not aligned": (
        (*GOOD[:5], program(TZ, 5, 29), *GOOD[6:]),
        "TZ .* does not begin at an erase block",
    ),
    "erase not aligned": (
        (GOOD[0], Erase(37, 24, "system"), *GOOD[2:]),
        "system .* does not begin at an erase block",
    ),
    "erase ends inside a block": (
        (GOOD[0], Erase(36, 26, "system"), *GOOD[2:]),
        "the erase of system .* does not end with an erase block",
    ),
    "overlap": (
        (*GOOD[:6], program(TZ, 2, 32), *GOOD[6:]),
        r"TZ \(sectors 32 to 33\) and TZ \(sectors 28 to 32\) overlap",
    ),
    "program over two partitions": (
        (*GOOD[:5], program(TZ, 12), program(SYSTEM, 20, 40), GOOD[-1]),
        "TZ .* does not lie inside one partition",
    ),
    "erase beyond the table": (
        (GOOD[0], Erase(36, 32, "system"), *GOOD[2:]),
        r"system \(sectors 36 to 67\) leaves the partition table",
    ),
    "erase beyond every flash": (
        (GOOD[0], Erase(36, 1 << 40, "system"), *GOOD[2:]),
        "outside of every flash memory",
    ),
    "erase of EFS2": (
        (*GOOD[:1], Erase(8, 8, "MIBIB"), *GOOD[1:]),
        r"would destroy the calibration in EFS2 \(sectors 12 to 23\)",
    ),
    "program into RAWDATA": (
        (*GOOD[:5], program(RAWDATA, 1), *GOOD[5:]),
        "would destroy the calibration in RAWDATA",
    ),
    "partition table lost": ((*GOOD[:4], *GOOD[5:]), "MIBIB .* is erased but not written again"),
    "vendor line first": (
        (VendorLine(b"<x/>"), *GOOD),
        "is not erased before all else",
    ),
    "vendor line after a write": (
        (*GOOD[:5], VendorLine(b"<x/>"), *GOOD[5:]),
        r"a vendor line comes after MIBIB \(sectors 8 to 9\) was written",
    ),
    "nothing to erase": ((Erase(0, 0, "SBL"), *GOOD), "SBL takes 0 sectors"),
    "image does not fill its sectors": (
        (*GOOD[:5], replace(program(TZ, 5), num_sectors=6), *GOOD[6:]),
        "does not fill 6 sectors",
    ),
    "empty image": (
        (*GOOD[:5], Program(FileRef("update/tz.mbn", "22" * 32, 0), 28, 0, "TZ"), *GOOD[6:]),
        "TZ takes 0 sectors",
    ),
}


@pytest.mark.parametrize(("operations", "cause"), BREACHES.values(), ids=list(BREACHES))
def test_each_breach_is_refused_naming_the_region(
    operations: tuple[Operation, ...], cause: str
) -> None:
    with pytest.raises(PlanRefused, match=cause):
        check_plan(plan_of(*operations))


def test_without_protected_efs2_nothing_is_flashed() -> None:
    with pytest.raises(PlanRefused, match="calibration cannot be protected"):
        check_plan(replace(plan_of(*GOOD), protected=(RAWDATA,)))


def test_absurd_geometry_is_refused() -> None:
    with pytest.raises(PlanRefused, match="no flash has"):
        check_plan(replace(plan_of(*GOOD), geometry=Geometry(0, 0)))


def test_an_erase_may_span_partitions_and_several_may_cover_one() -> None:
    check_plan(plan_of(erase(SBL), Erase(28, 36), erase(MIBIB), *GOOD[4:]))
    check_plan(plan_of(erase(SBL), Erase(32, 32), Erase(28, 4), erase(MIBIB), *GOOD[4:]))


def test_a_vendor_line_may_follow_the_boot_loader_erase() -> None:
    check_plan(plan_of(GOOD[0], VendorLine(b"<x/>"), *GOOD[1:]))


# --- the second judge: plays the list on a flash of 64 sectors -----------------------------------


def is_safe(plan: FlashPlan) -> bool:
    operations = plan.operations
    boots = [op for op in operations if isinstance(op, Program) and op.start_sector == 0]
    if len(boots) != 1 or operations[-1] != boots[0] or not isinstance(operations[0], Erase):
        return False
    first = operations[0]
    if first.start_sector != 0 or first.num_sectors < boots[0].num_sectors:
        return False
    owner = {s: region.name for region in plan.partitions for s in sectors_of(region)}
    state = dict.fromkeys(range(SECTORS), "old")
    table_erased = table_written = False
    for operation in operations:
        if isinstance(operation, VendorLine):
            if "written" in state.values():
                return False
            continue
        touched = list(sectors_of(operation.region))
        if not touched or touched[0] < 0 or touched[-1] >= SECTORS or touched[0] % PER_BLOCK:
            return False
        if {owner[s] for s in touched} & {"EFS2", "RAWDATA"}:
            return False
        on_table = any(owner[s] == "MIBIB" for s in touched)
        if isinstance(operation, Erase):
            if len(touched) % PER_BLOCK or any(state[s] == "written" for s in touched):
                return False
            table_erased |= on_table
            state |= dict.fromkeys(touched, "erased")
        else:
            if any(state[s] != "erased" for s in touched) or len({owner[s] for s in touched}) > 1:
                return False
            table_written |= on_table
            state |= dict.fromkeys(touched, "written")
    return table_written or not table_erased


def breaks_a_rule(plan: FlashPlan) -> bool:
    try:
        check_plan(plan)
    except PlanRefused:
        return True
    return False


def sectors_of(region: Region) -> range:
    return range(region.start_sector, region.end_sector)


def resized(operation: Operation, start: int, length: int) -> Operation:
    match operation:
        case Erase():
            return Erase(operation.start_sector + start, operation.num_sectors + length)
        case Program():
            sectors = operation.num_sectors + length
            image = FileRef("update/x.mbn", "22" * 32, max(0, sectors * SECTOR))
            return Program(image, operation.start_sector + start, sectors, operation.label)
        case VendorLine():
            return operation


@st.composite
def mutated_lists(draw: st.DrawFn) -> tuple[Operation, ...]:
    operations = list(GOOD)
    positions = st.integers(0, 100)
    for _ in range(draw(st.integers(0, 4))):
        here = draw(positions) % max(1, len(operations))
        match draw(
            st.sampled_from(["swap", "move", "drop", "double", "resize", "blocks", "vendor"])
        ):
            case "vendor":
                operations.insert(here, VendorLine(b"<x/>"))
            case _ if not operations:
                pass
            case "swap":
                there = draw(positions) % len(operations)
                operations[here], operations[there] = operations[there], operations[here]
            case "move":
                operations.insert(draw(positions) % len(operations), operations.pop(here))
            case "drop":
                operations.pop(here)
            case "double":
                operations.append(operations[here])
            case "resize":
                start, length = draw(st.integers(-9, 9)), draw(st.integers(-9, 9))
                operations[here] = resized(operations[here], start, length)
            case _:  # by whole blocks
                start, length = draw(st.integers(-3, 3)), draw(st.integers(-3, 3))
                operations[here] = resized(operations[here], start * 4, length * 4)
    return tuple(operations)


@settings(max_examples=400)
@given(mutated_lists())
def test_any_list_is_judged_alike_by_both(operations: tuple[Operation, ...]) -> None:
    plan = plan_of(*operations)
    accepted = not breaks_a_rule(plan)
    event("accepted" if accepted else "refused")
    assert accepted == is_safe(plan)


@given(st.permutations(GOOD[1:4]), st.permutations(GOOD[4:7]))
def test_the_order_inside_the_middle_is_free(
    erases: list[Operation], programs: list[Operation]
) -> None:
    plan = plan_of(GOOD[0], *erases, *programs, GOOD[-1])
    check_plan(plan)
    assert is_safe(plan)
