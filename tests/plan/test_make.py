"""From rawprogram to plan: the safe order, and what is refused on the way."""

import pytest

from station.errors import PlanRefused, RawprogramInvalid, VendorLineRefused
from station.firmware.mibib import Partition, PartitionTable
from station.model import FileRef
from station.plan import Erase, Program, VendorLine
from tests.plan import eg25

VENDOR = (
    '<erase a_rawdata_start_sector="12544" b_rawdata_num_sector="640" '
    'c_project_name="EG25" d_project_type="2" vendor="quectel" />'
)


def test_the_unsafe_order_of_the_real_file_comes_out_safe() -> None:
    plan = eg25.plan(*eg25.LINES)
    order = [
        (type(op).__name__, op.start_sector, op.label)
        for op in plan.operations
        if not isinstance(op, VendorLine)
    ]
    assert order == [
        ("Erase", 0, "SBL"),
        ("Erase", 13952, "RPM"),
        ("Erase", 15552, "aboot"),
        ("Erase", 16320, "boot"),
        ("Erase", 20288, "recovery"),
        ("Erase", 24256, "modem"),
        ("Erase", 51968, "recoveryfs"),
        ("Erase", 62336, "usr_data"),
        ("Erase", 93312, "system"),
        ("Erase", 13184, "TZ"),
        ("Erase", 640, "MIBIB"),
        ("Program", 640, "MIBIB"),
        ("Program", 13184, "TZ"),
        ("Program", 15552, "aboot"),
        ("Program", 16320, "boot"),
        ("Program", 20288, "recovery"),
        ("Program", 24256, "modem"),
        ("Program", 51968, "recoveryfs"),
        ("Program", 62336, "usr_data"),
        ("Program", 93312, "system"),
        ("Program", 13952, "RPM"),
        ("Program", 0, "SBL"),
    ]


def test_plan_carries_what_a_slot_needs() -> None:
    plan = eg25.plan(*eg25.LINES)
    assert plan.procedure == "quectel_edl"
    assert plan.version == "EG25GGBR07A08M2G_01.002.01.002"
    assert plan.verify == "readback"
    assert (plan.geometry.sector_size_bytes, plan.geometry.pages_per_block) == (2048, 64)
    assert plan.geometry.block_size_bytes == 131072
    assert plan.programmer == eg25.PROGRAMMER
    assert [str(region) for region in plan.protected] == [
        "EFS2 (sectors 1280 to 9983)",
        "RAWDATA (sectors 12544 to 13183)",
    ]
    assert (plan.partition_table_sector, plan.partition_table_sectors) == (640, 640)
    assert plan.required_sectors == 131072
    assert plan.total_bytes == 11 * 5000
    assert {program.num_sectors for program in plan.programs} == {3}


def test_equal_plans_have_equal_digests_and_any_change_shows() -> None:
    plan = eg25.plan(*eg25.LINES)
    assert plan.sha256 == eg25.plan(*eg25.LINES).sha256
    fewer = eg25.plan(*(text for text in eg25.LINES if "15552" not in text))
    assert fewer.sha256 != plan.sha256


def test_one_erase_over_everything_behind_calibration() -> None:
    programs = (text for text in eg25.LINES if "<program" in text)
    erases = (eg25.line("erase", *place) for place in ((13184, 117888), (640, 640), (0, 640)))
    plan = eg25.plan(*programs, *erases)
    assert [op.start_sector for op in plan.operations if isinstance(op, Erase)] == [0, 13184, 640]


def test_vendor_line_is_refused_unless_the_recipe_allows_it() -> None:
    with pytest.raises(VendorLineRefused, match=r"line 3 .*eg25.*a_rawdata_start_sector"):
        eg25.plan(VENDOR, *eg25.LINES)


def test_vendor_line_follows_the_boot_loader_erase_byte_for_byte() -> None:
    spaced = VENDOR.replace('" b', '"   b')
    plan = eg25.plan(*eg25.LINES, "\t" + spaced + " \r", allow_vendor_lines=True)
    assert plan.operations[1] == VendorLine(f"\t{spaced} ".encode())
    assert isinstance(plan.operations[0], Erase)
    assert "a_rawdata_start_sector" in plan.describe()


def test_vendor_line_too_long_for_a_module_is_refused_before_anything_is_sent() -> None:
    long_line = VENDOR.replace("EG25", "E" * 4096)
    with pytest.raises(VendorLineRefused, match="cannot be sent"):
        eg25.plan(*eg25.LINES, long_line, allow_vendor_lines=True)


def test_image_longer_than_declared_is_refused() -> None:
    lines = [text.replace('"768"', '"2"') if "tz.mbn" in text else text for text in eg25.LINES]
    with pytest.raises(PlanRefused, match=r"update/tz.mbn fills 3 sectors, TZ .* has 2"):
        eg25.plan(*lines)


def test_image_longer_than_its_partition_is_refused() -> None:
    shorter = PartitionTable(
        tuple(
            p if p.name != "TZ" else Partition("tz_a", p.start_block, 1)
            for p in eg25.TABLE.partitions
        )
    )
    lines = [text.replace("13184", "13248") for text in eg25.LINES]
    with pytest.raises(PlanRefused, match="13248"):
        eg25.plan(*lines, table=shorter)


@pytest.mark.parametrize("name", ["EFS2", "MIBIB"])
def test_table_without_a_vital_partition_is_refused(name: str) -> None:
    table = PartitionTable(tuple(p for p in eg25.TABLE.partitions if p.name != name))
    with pytest.raises(PlanRefused, match=name):
        eg25.plan(*eg25.LINES, table=table)


def test_rawdata_may_be_absent_and_names_may_be_lower_case() -> None:
    table = PartitionTable(
        tuple(
            Partition(p.name.lower(), p.start_block, p.num_blocks)
            for p in eg25.TABLE.partitions
            if p.name != "RAWDATA"
        )
    )
    plan = eg25.plan(*eg25.LINES, table=table)
    assert [region.name for region in plan.protected] == ["efs2"]


def test_another_partition_table_than_the_one_read_is_refused() -> None:
    other = FileRef("update/firehose/other.mbn", "33" * 32, 5000)
    with pytest.raises(PlanRefused, match=r"MIBIB .* would be written with .*partition_complete"):
        eg25.plan(*eg25.LINES, table_file=other)


def test_two_geometries_are_refused() -> None:
    lines = [text.replace('"2048"', '"4096"') if "tz.mbn" in text else text for text in eg25.LINES]
    with pytest.raises(PlanRefused, match="2 flash geometries"):
        eg25.plan(*lines)


@pytest.mark.parametrize("lines", [(), (VENDOR,)])
def test_a_file_without_commands_is_refused(lines: tuple[str, ...]) -> None:
    with pytest.raises(PlanRefused, match="0 flash geometries"):
        eg25.plan(*lines, allow_vendor_lines=True)


@pytest.mark.parametrize(
    ("old", "new"), [('"2048"', '"0"'), ('"64"', '"0"'), ('"2048"', '"99999"')]
)
def test_absurd_geometry_is_refused(old: str, new: str) -> None:
    programs = [text.replace(old, new) for text in eg25.LINES if "<program" in text]
    with pytest.raises(PlanRefused, match="no flash has"):
        eg25.plan(*programs)


def test_another_chip_is_refused() -> None:
    lines = [text.replace('number="0"', 'number="1"') for text in eg25.LINES]
    with pytest.raises(PlanRefused, match="another chip"):
        eg25.plan(*lines)


def test_errors_of_the_rawprogram_pass_through() -> None:
    with pytest.raises(RawprogramInvalid, match="line 3"):
        eg25.plan('<erase start_sector="NUM_DISK_SECTORS-33."/>')


def test_programs_know_the_path_in_the_package() -> None:
    plan = eg25.plan(*eg25.LINES)
    last = plan.operations[-1]
    assert isinstance(last, Program)
    assert last.image.path == "update/sbl1.mbn"
