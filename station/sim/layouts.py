"""The two families a synthetic package can be made for: flash memory, partitions, images.

Ref: quectel_eg25_recovery (9x07: partition map, order of the rawprogram, file names); recorded
flashes of RM500Q (SDX55: sbl, mibib, efs2, tz, NON-HLOS, usrdata, oemdata, sysfs; the partitions
between them are filled in to fit).
"""

from dataclasses import dataclass

from station.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Part:
    """A partition in erase blocks. `image` is its file below `update/`, "" if it has none;
    `share` its part of the package's bytes in thousandths."""

    name: str
    start_block: int
    num_blocks: int
    image: str = ""
    share: int = 0


@dataclass(frozen=True, slots=True)
class Layout:
    """What a family's package and modules look like. One sector is one page."""

    family: str
    product: str
    sector_size_bytes: int
    pages_per_block: int
    total_blocks: int
    parts: tuple[Part, ...]
    version_partition: str
    """Its image begins with the version the firmware reports."""
    programmer_file: str
    programmer_bytes: int
    older_version: str
    newer_version: str

    @property
    def block_size_bytes(self) -> int:
        return self.sector_size_bytes * self.pages_per_block

    @property
    def total_sectors(self) -> int:
        return self.total_blocks * self.pages_per_block

    @property
    def suffix(self) -> str:
        """Geometry as Quectel writes it into file names: `p2K_b128K`."""
        return f"p{self.sector_size_bytes >> 10}K_b{self.block_size_bytes >> 10}K"

    @property
    def boot_loader(self) -> Part:
        return self.parts[0]

    @property
    def partition_table(self) -> Part:
        return self.parts[1]

    @property
    def programmed(self) -> tuple[Part, ...]:
        return tuple(part for part in self.parts if part.image)

    @property
    def calibration(self) -> tuple[Part, ...]:
        """Partitions that belong to the unit and that no update may touch."""
        return tuple(part for part in self.parts if part.name.upper() in ("EFS2", "RAWDATA"))

    def part(self, name: str) -> Part:
        """The partition of this name. Raises KeyError."""
        return {part.name: part for part in self.parts}[name]

    def start_sector(self, part: Part) -> int:
        return part.start_block * self.pages_per_block

    def num_sectors(self, part: Part) -> int:
        return part.num_blocks * self.pages_per_block


EC25 = Layout(
    family="ec25",
    product="MDM9607",
    sector_size_bytes=2048,
    pages_per_block=64,
    total_blocks=2048,
    parts=(
        Part("SBL", 0x00, 0x0A, "sbl1.mbn", 4),
        Part("MIBIB", 0x0A, 0x0A, "firehose/partition_complete_p2K_b128K.mbn"),
        Part("EFS2", 0x14, 0x88),
        Part("sys_rev", 0x9C, 0x28),
        Part("RAWDATA", 0xC4, 0x0A),
        Part("TZ", 206, 12, "tz.mbn", 6),
        Part("RPM", 218, 9, "rpm.mbn", 3),
        Part("cust_info", 227, 16),
        Part("aboot", 243, 12, "appsboot.mbn", 6),
        Part("boot", 255, 62, "mdm9607-boot.img", 60),
        Part("recovery", 317, 62, "mdm9607-recovery.img", 60),
        Part("modem", 379, 428, "NON-HLOS.ubi", 361),
        Part("misc", 807, 5),
        Part("recoveryfs", 812, 162, "mdm9607-recovery.ubi", 80),
        Part("usr_data", 974, 480, "usrdata.ubi", 20),
        Part("sec", 1454, 4),
        Part("system", 1458, 590, "mdm9607-sysfs.ubi", 400),
    ),
    version_partition="system",
    programmer_file="prog_nand_firehose_9x07.mbn",
    programmer_bytes=170 * 1024 + 312,
    older_version="EC25EFAR06A06M4G_01.002.01.002",
    newer_version="EC25EFAR06A08M4G_01.003.01.003",
)

RM500Q = Layout(
    family="rm500q",
    product="SDX55",
    sector_size_bytes=4096,
    pages_per_block=64,
    total_blocks=2048,
    parts=(
        Part("sbl", 0, 10, "sbl1.mbn", 3),
        Part("mibib", 10, 4, "firehose/partition_complete_p4K_b256K.mbn"),
        Part("efs2", 14, 88),
        Part("sys_rev", 102, 34),
        Part("tz", 136, 8, "tz.mbn", 7),
        Part("devcfg", 144, 4, "devcfg.mbn", 1),
        Part("aop", 148, 4, "aop.mbn", 1),
        Part("apdp", 152, 4),
        Part("xbl_cfg", 156, 4, "xbl_cfg.elf", 1),
        Part("multi_image", 160, 4, "multi_image.mbn", 1),
        Part("abl", 164, 8, "abl.elf", 2),
        Part("uefi", 172, 17, "uefi.elf", 9),
        Part("boot", 189, 100, "sdxprairie-boot.img", 55),
        Part("recovery", 289, 100, "sdxprairie-recovery.img", 55),
        Part("misc", 389, 20),
        Part("sec", 409, 20),
        Part("modem", 429, 452, "NON-HLOS.ubi", 405),
        Part("recoveryfs", 881, 80, "sdxprairie-recovery.ubi", 60),
        Part("usrdata", 961, 500, "usrdata.ubi", 20),
        Part("oemdata", 1461, 144, "oemdata.ubi", 20),
        Part("sysfs", 1605, 443, "sdxprairie-sysfs.ubi", 360),
    ),
    version_partition="sysfs",
    programmer_file="prog_firehose_sdx55.mbn",
    programmer_bytes=267 * 1024 + 1536,
    older_version="RM500QGLAAR11A06M4G_01.001.01.001",
    newer_version="RM500QGLAAR13A03M4G_01.002.01.002",
)

LAYOUTS = {layout.family: layout for layout in (EC25, RM500Q)}


def family_names() -> tuple[str, ...]:
    """Families that packages and simulated modules can be made for."""
    return tuple(LAYOUTS)


def layout_of(family: str) -> Layout:
    """Raises ConfigError naming the families there are."""
    layout = LAYOUTS.get(family)
    if layout is None:
        raise ConfigError(f"no family {family!r}: there are {', '.join(LAYOUTS)}")
    return layout
