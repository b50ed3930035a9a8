"""A rawprogram as a real EG25-G release has it: its order, its numbers, its bad habits."""

from station.config import Match, QuectelEdlRecipe, QuectelFirmware
from station.firmware.mibib import Partition, PartitionTable
from station.firmware.rawprogram import parse_rawprogram
from station.model import FileRef
from station.plan import FlashPlan, make_plan

TABLE_FILE = "partition_complete_p2K_b128K.mbn"

# (command, start sector, declared sectors, file) as in the file, top to bottom.
COMMANDS: tuple[tuple[str, int, int, str], ...] = (
    ("program", 0, 640, r"..\sbl1.mbn"),
    ("program", 640, 640, TABLE_FILE),
    ("program", 13184, 768, r"..\tz.mbn"),
    ("erase", 13952, 576, ""),
    ("erase", 15552, 768, ""),
    ("program", 15552, 768, r"..\appsboot.mbn"),
    ("erase", 16320, 3968, ""),
    ("program", 16320, 3968, r"..\mdm9607-boot.img"),
    ("erase", 20288, 3968, ""),
    ("program", 20288, 3968, r"..\mdm9607-boot.img"),
    ("erase", 24256, 27392, ""),
    ("program", 24256, 27392, r"..\NON-HLOS.ubi"),
    ("erase", 51968, 10368, ""),
    ("program", 51968, 10368, r"..\mdm9607-recovery.ubi"),
    ("erase", 62336, 30720, ""),
    ("program", 62336, 30720, r"..\usrdata.ubi"),
    ("erase", 93312, 37760, ""),
    ("program", 93312, 37760, r"..\mdm9607-sysfs.ubi"),
    ("erase", 13184, 768, ""),
    ("erase", 640, 640, ""),
    ("erase", 0, 640, ""),
    ("program", 13952, 576, r"..\rpm.mbn"),
)

TABLE = PartitionTable(
    (
        Partition("SBL", 0x0, 0xA),
        Partition("MIBIB", 0xA, 0xA),
        Partition("EFS2", 0x14, 0x88),
        Partition("sys_rev", 0x9C, 0x28),
        Partition("RAWDATA", 0xC4, 0xA),
        Partition("TZ", 0xCE, 12),
        Partition("RPM", 0xDA, 9),
        Partition("cust_info", 0xE3, 16),
        Partition("aboot", 0xF3, 12),
        Partition("boot", 0xFF, 62),
        Partition("recovery", 0x13D, 62),
        Partition("modem", 0x17B, 428),
        Partition("misc", 0x327, 5),
        Partition("recoveryfs", 0x32C, 162),
        Partition("usr_data", 0x3CE, 480),
        Partition("sec", 0x5AE, 4),
        Partition("system", 0x5B2, None),
    )
)

PROGRAMMER = FileRef("update/firehose/prog_nand_firehose_9x07.mbn", "11" * 32, 170_000)


def line(command: str, start: int, sectors: int, file: str = "") -> str:
    name = f'filename="{file}" ' if command == "program" else ""
    return (
        f'  <{command} PAGES_PER_BLOCK="64" SECTOR_SIZE_IN_BYTES="2048" {name}'
        f'num_partition_sectors="{sectors}" physical_partition_number="0" start_sector="{start}"/>'
    )


def document(*lines: str) -> bytes:
    return "\n".join(['<?xml version="1.0" ?>', "<data>", *lines, "</data>", ""]).encode()


LINES = tuple(line(*command) for command in COMMANDS)


def recipe(*, allow_vendor_lines: bool = False) -> QuectelEdlRecipe:
    return QuectelEdlRecipe(
        name="eg25",
        revision=1,
        match=Match(sku=("EG25*",)),
        procedure="quectel_edl",
        firmware=QuectelFirmware(package="eg25", version="EG25GGBR07A08M2G_01.002.01.002"),
        allow_vendor_lines=allow_vendor_lines,
    )


def image(filename: str) -> FileRef:
    """5000 bytes, so three sectors, whatever the name."""
    path = "update/" + (
        filename.removeprefix("..\\") if "\\" in filename else f"firehose/{filename}"
    )
    return FileRef(path, "22" * 32, 5000)


def plan(
    *lines: str,
    table: PartitionTable = TABLE,
    allow_vendor_lines: bool = False,
    table_file: FileRef | None = None,
) -> FlashPlan:
    return make_plan(
        recipe(allow_vendor_lines=allow_vendor_lines),
        parse_rawprogram(document(*lines)),
        table,
        programmer=PROGRAMMER,
        table_file=table_file or image(TABLE_FILE),
        image=image,
    )
