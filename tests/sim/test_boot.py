import pytest

from station.firmware.mibib import find_partition_table
from station.model import Mode
from station.sim.boot import boot, calibration_of, model_of, revision_of
from station.sim.factory import Factory
from station.sim.faults import Traits
from station.sim.images import partition_table
from station.sim.layouts import EC25, LAYOUTS, Layout
from station.sim.nand import Nand


def made(family: str = "ec25", version: str | None = None) -> tuple[Nand, Layout, dict[str, bytes]]:
    layout = LAYOUTS[family]
    nand = Factory(family, size_mb=1).make(version=version).nand
    table = find_partition_table(partition_table(layout), layout.sector_size_bytes)
    return nand, layout, calibration_of(nand, layout, table)


def rewrite(nand: Nand, layout: Layout, name: str, data: bytes) -> None:
    part = layout.part(name)
    nand.erase(part.start_block, part.num_blocks)
    if data:
        nand.fill(layout.start_sector(part), data)


@pytest.mark.parametrize("family", ["ec25", "rm500q"])
def test_factory_content_boots_with_its_version(family: str) -> None:
    nand, layout, calibration = made(family)
    booted = boot(nand, layout, calibration)
    assert (booted.mode, booted.calibrated) == (Mode.RUNTIME, True)
    assert booted.version == layout.older_version
    assert set(calibration) == {part.name for part in layout.calibration} != set()


def test_the_version_is_read_from_flash() -> None:
    nand, layout, calibration = made(version="EC25EFAR99A99M4G_01.009.01.009")
    assert boot(nand, layout, calibration).version == "EC25EFAR99A99M4G_01.009.01.009"


@pytest.mark.parametrize("data", [b"", b"SIM-SBL\nrm500q\n", b"SIM-IMAGE SBL\n"])
def test_without_its_boot_loader_it_falls_into_edl(data: bytes) -> None:
    nand, layout, calibration = made()
    rewrite(nand, layout, "SBL", data)
    assert boot(nand, layout, calibration).mode is Mode.EDL


def test_without_a_partition_table_it_crashes() -> None:
    nand, layout, calibration = made()
    rewrite(nand, layout, "MIBIB", b"")
    assert boot(nand, layout, calibration).mode is Mode.CRASHED


@pytest.mark.parametrize(
    ("partition", "data"),
    [
        ("boot", b""),
        ("boot", b"SIM-IMAGE recovery\n"),
        ("system", b"SIM-IMAGE system\n"),
        ("system", b"SIM-FIRMWARE bad version\n"),
        ("system", b"SIM-FIRMWARE " + b"9" * 100),
    ],
)
def test_with_a_wrong_image_it_crashes_and_says_where(partition: str, data: bytes) -> None:
    nand, layout, calibration = made()
    rewrite(nand, layout, partition, data)
    booted = boot(nand, layout, calibration)
    assert booted.mode is Mode.CRASHED
    assert partition in booted.why


@pytest.mark.parametrize("partition", ["EFS2", "RAWDATA"])
def test_touched_calibration_is_lost(partition: str) -> None:
    nand, layout, calibration = made()
    rewrite(nand, layout, partition, b"something else")
    booted = boot(nand, layout, calibration)
    assert (booted.mode, booted.calibrated) == (Mode.RUNTIME, False)


def test_a_partition_table_that_moves_efs2_loses_calibration() -> None:
    module = Factory("ec25", size_mb=1).make(traits=Traits(efs_moved=True))
    assert boot(module.nand, module.layout, module.calibration).calibrated
    rewrite(module.nand, EC25, "MIBIB", partition_table(EC25))
    assert not boot(module.nand, module.layout, module.calibration).calibrated


@pytest.mark.parametrize(
    ("version", "model", "revision"),
    [
        ("EC25EFAR06A06M4G_01.002.01.002", "EC25", "EC25EFAR06A06M4G"),
        ("RM500QGLAAR11A06M4G_01.001.01.001", "RM500Q-GL", "RM500QGLAAR11A06M4G"),
        ("strange", "strange", "strange"),
    ],
)
def test_names_follow_from_the_version(version: str, model: str, revision: str) -> None:
    assert (model_of(version), revision_of(version)) == (model, revision)
