"""The flat variant: what qdl asks of the files, and an order that may be followed as it is."""

from pathlib import Path

import pytest
from defusedxml.ElementTree import fromstring

from station.errors import ConfigError
from station.firmware.rawprogram import Erase, Program, check_patch, parse_rawprogram
from station.sim.layouts import layout_of
from station.sim.package import family_names, write_package
from station.sim.package_flat import file_name, flat_rawprogram, write_flat_package


@pytest.mark.parametrize("family", family_names())
def test_the_same_images_in_one_folder(tmp_path: Path, family: str) -> None:
    version = layout_of(family).newer_version
    flat = write_flat_package(tmp_path / "flat", family=family, version=version, size_mb=2)
    release = write_package(tmp_path / "release", family=family, version=version, size_mb=2)
    assert all(path.is_file() for path in flat.iterdir())
    for part in layout_of(family).programmed:
        image = (release / "update" / part.image).read_bytes()
        assert (flat / file_name(part)).read_bytes() == image
    name = layout_of(family).programmer_file
    programmer = (release / "update" / "firehose" / name).read_bytes()
    assert (flat / name).read_bytes() == programmer
    (patch,) = flat.glob("patch_*.xml")
    check_patch(patch.read_bytes(), patch.name)


@pytest.mark.parametrize("family", family_names())
def test_every_program_has_what_qdl_wants(family: str) -> None:
    layout = layout_of(family)
    programs = fromstring(flat_rawprogram(layout)).findall("program")
    assert len(programs) == len(layout.programmed)
    for program in programs:
        part = layout.part(program.attrib["label"])
        assert program.attrib == {
            "PAGES_PER_BLOCK": "64",
            "SECTOR_SIZE_IN_BYTES": str(layout.sector_size_bytes),
            "filename": file_name(part),
            "label": part.name,
            "last_sector": str(layout.start_sector(part) + layout.num_sectors(part) - 1),
            "num_partition_sectors": str(layout.num_sectors(part)),
            "physical_partition_number": "0",
            "sparse": "false",
            "start_sector": str(layout.start_sector(part)),
        }
        assert not {"/", "\\"} & set(program.attrib["filename"])


@pytest.mark.parametrize("family", family_names())
def test_the_order_of_the_file_is_safe(family: str) -> None:
    layout = layout_of(family)
    commands = parse_rawprogram(flat_rawprogram(layout).encode()).elements
    erases = [each.place.start_sector for each in commands if isinstance(each, Erase)]
    programs = [each.place.start_sector for each in commands if isinstance(each, Program)]
    assert len(erases) + len(programs) == len(commands)
    assert all(isinstance(each, Erase) for each in commands[: len(erases)])
    assert erases[0] == programs[-1] == layout.start_sector(layout.boot_loader)
    assert set(erases) == set(programs)
    assert not {layout.start_sector(part) for part in layout.calibration} & set(erases)


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    with pytest.raises(ConfigError, match="not empty"):
        write_flat_package(tmp_path, family="ec25", version="X", size_mb=1)
