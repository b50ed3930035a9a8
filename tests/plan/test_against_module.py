"""The plan against what the module itself reports: storage and partition table."""

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.errors import GeometryMismatch, PartitionMismatch
from station.firmware.mibib import Partition, PartitionTable, compose_partition_table
from station.plan import Erase, FlashPlan, check_geometry, check_partition_table
from tests.plan import eg25

PLAN = eg25.plan(*eg25.LINES)
BLOCK = b"\xff" * 131072


def region_of(*partitions: Partition) -> bytes:
    return BLOCK + compose_partition_table(partitions, 2048) + BLOCK


def changed(name: str, start_block: int, num_blocks: int) -> tuple[Partition, ...]:
    return tuple(
        Partition(name, start_block, num_blocks) if p.name == name else p
        for p in eg25.TABLE.partitions
        if p.name in (name, "SBL", "MIBIB", "EFS2", "RAWDATA")
    )


def without_rawdata() -> FlashPlan:
    kept = tuple(p for p in eg25.TABLE.partitions if p.name != "RAWDATA")
    return eg25.plan(*eg25.LINES, table=PartitionTable(kept))


def test_fitting_flash_passes() -> None:
    check_geometry(PLAN, 2048, 131072, 2048)
    check_geometry(PLAN, 4096, 131072, 2048)


@pytest.mark.parametrize(
    ("total_blocks", "block_size_bytes", "page_size_bytes", "cause"),
    [
        (2048, 262144, 4096, "pages of 4096 and blocks of 262144 bytes, the package is for 2048"),
        (2048, 262144, 2048, "blocks of 262144"),
        (2047, 131072, 2048, "2047 blocks, the package needs 2048"),
        (0, 0, 0, "pages of 0"),
    ],
)
def test_other_flash_is_refused(
    total_blocks: int, block_size_bytes: int, page_size_bytes: int, cause: str
) -> None:
    with pytest.raises(GeometryMismatch, match=cause):
        check_geometry(PLAN, total_blocks, block_size_bytes, page_size_bytes)


def test_the_same_table_on_the_module_passes() -> None:
    check_partition_table(PLAN, region_of(*eg25.TABLE.partitions))


def test_other_partitions_may_differ_as_long_as_calibration_is_out_of_reach() -> None:
    check_partition_table(PLAN, region_of(*changed("SBL", 0, 8)))


@pytest.mark.parametrize(
    ("partitions", "cause"),
    [
        (changed("EFS2", 0x15, 0x87), r"EFS2: EFS2 \(sectors 1344 to 9983\) on the module, EFS2"),
        (changed("EFS2", 0x14, 0x80), "EFS2: .* on the module"),
        (changed("RAWDATA", 0xCE, 0x0A), "RAWDATA: .*13184 to 13823"),
        (changed("SBL", 0, 8)[:2], "EFS2: absent on the module"),
        (changed("SBL", 0, 8)[:3], "RAWDATA: absent on the module, RAWDATA .* in the package"),
    ],
)
def test_calibration_elsewhere_is_refused(partitions: tuple[Partition, ...], cause: str) -> None:
    with pytest.raises(PartitionMismatch, match=cause):
        check_partition_table(PLAN, region_of(*partitions))


def test_calibration_the_package_does_not_know_is_refused() -> None:
    with pytest.raises(PartitionMismatch, match=r"RAWDATA .* on the module, absent in the package"):
        check_partition_table(without_rawdata(), region_of(*eg25.TABLE.partitions))


def test_neither_having_rawdata_passes() -> None:
    kept = (p for p in eg25.TABLE.partitions if p.name != "RAWDATA")
    check_partition_table(without_rawdata(), region_of(*kept))


def test_a_list_that_reaches_the_modules_calibration_is_refused_here_too() -> None:
    reaching = replace(PLAN, operations=(*PLAN.operations, Erase(1216, 128, "MIBIB")))
    with pytest.raises(PartitionMismatch, match=r"MIBIB .* would destroy EFS2 .* of the module"):
        check_partition_table(reaching, region_of(*eg25.TABLE.partitions))


@pytest.mark.parametrize("region", [b"", BLOCK, BLOCK[:100]])
def test_no_table_on_the_module_is_refused(region: bytes) -> None:
    with pytest.raises(PartitionMismatch, match="on the module: partition table: none"):
        check_partition_table(PLAN, region)


@given(st.binary(max_size=200), st.integers(0, 4095))
def test_a_damaged_region_never_escapes_as_anything_else(junk: bytes, at: int) -> None:
    region = bytearray(compose_partition_table(eg25.TABLE.partitions, 2048))
    region[at : at + len(junk)] = junk
    with suppress(PartitionMismatch):
        check_partition_table(PLAN, bytes(region))
