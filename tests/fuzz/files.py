"""What people and packages bring: files and lines. As in `tests.fuzz.wire`, each function takes
bytes, raises what its parser may raise, and checks that what was accepted survives a round."""

import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from xml.sax.saxutils import quoteattr
from zipfile import ZIP_DEFLATED

from station.config import load_families, load_recipe, load_settings, parse_policy, stops_utc_us
from station.config.slot_map import load_slot_map, slot_map_text
from station.errors import PackageIncomplete
from station.firmware.md5list import parse_md5_list
from station.firmware.members import Limits
from station.firmware.mibib import (
    PartitionTable,
    compose_partition_table,
    find_partition_table,
    parse_partition_table,
)
from station.firmware.rawprogram import Element, Erase, Program, check_patch, parse_rawprogram
from station.firmware.release import open_release
from station.model import DeviceInfo, Endpoint, Interface, Mode
from station.places import PortPath
from station.wire import command_line, message_line, parse_command, parse_message
from tests.firmware.quectel import write_zip

ZIP_LIMITS = Limits(members=64, total_bytes=1 << 20, ratio=50, ratio_free_bytes=64 << 10)
PAGE_BYTES = 2048

_BULK = (Endpoint(0x81, 2, 512), Endpoint(0x01, 2, 512))
_PORTS = tuple(Interface(number, 0xFF, 0, 0, _BULK) for number in range(4))
DEVICES = tuple(
    DeviceInfo(PortPath(1, (1,)), vid, pid, _PORTS[:ports], 1)
    for vid, pid in ((0x2C7C, 0x0125), (0x2C7C, 0x6005), (0x05C6, 0x9008), (0x05C6, 0x900E))
    for ports in (0, 1, 4)
)
"""Modules and strangers, with as many interfaces."""
NO_MODULE = (Mode.UNKNOWN, Mode.FOREIGN)


# --- a package --------------------------------------------------------------------------------


def rawprogram(data: bytes) -> None:
    elements = parse_rawprogram(data).elements
    anew = b"\n".join([b"<data>", *map(_xml_line, elements), b"</data>"])
    assert list(map(_content, parse_rawprogram(anew).elements)) == list(map(_content, elements))


def _content(element: Element) -> object:
    """Without the line number, and a vendor line as it stands."""
    match element:
        case Program(filename, label, place):
            return filename, label, place
        case Erase(place):
            return place
        case _:
            return element.raw


def _xml_line(element: Element) -> bytes:
    if not isinstance(element, Program | Erase):
        return element.raw
    place = element.place
    attributes: dict[str, str | int] = {
        "PAGES_PER_BLOCK": place.pages_per_block,
        "SECTOR_SIZE_IN_BYTES": place.sector_size_bytes,
        "num_partition_sectors": place.num_sectors,
        "physical_partition_number": place.physical_partition_number,
        "start_sector": place.start_sector,
    }
    names: dict[str, str | int] = {}
    if isinstance(element, Program):
        names |= {"filename": element.filename, "label": element.label}
    tag = type(element).__name__.lower()
    words = [f"{name}={_quoted(value)}" for name, value in (names | attributes).items()]
    return f"<{tag} {' '.join(words)}/>".encode()


def _quoted(value: str | int) -> str:
    return quoteattr(str(value), {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def patch(data: bytes) -> None:
    check_patch(data)


def md5_list(data: bytes) -> None:
    listed = parse_md5_list(data)
    lines = [f"FILE:{path}:{md5}" for path, md5 in listed.items()]
    anew = "\r\n".join(["VERSION:1.0", "FILE:START", *lines, "FILE:END"])
    assert parse_md5_list(anew.encode()) == listed


def zip_archive(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "release.zip"
        path.write_bytes(data)
        found = _files_of(path)
        assert sum(map(len, found.values())) <= ZIP_LIMITS.total_bytes
        assert _files_of(write_zip(path, found, method=ZIP_DEFLATED)) == found


def _files_of(path: Path) -> Mapping[str, bytes]:
    with open_release(path, ZIP_LIMITS) as release:
        files = [name for name in release.paths if release.members[name].open is not None]
        return {name: b"".join(release.stream(name)) for name in files}


def partition_table(data: bytes) -> None:
    with suppress(PackageIncomplete):
        _composed_again(find_partition_table(data, PAGE_BYTES))
    _composed_again(parse_partition_table(data, PAGE_BYTES))


def _composed_again(table: PartitionTable) -> None:
    assert len({p.name.casefold() for p in table.partitions}) == len(table.partitions)
    if all(len(p.name) <= 14 for p in table.partitions):
        page = compose_partition_table(table.partitions, PAGE_BYTES)
        assert parse_partition_table(page, PAGE_BYTES) == table


# --- what people write ------------------------------------------------------------------------


def campaign(data: bytes) -> None:
    path = Path("nightly.yaml")
    found = parse_policy(path, data)
    assert parse_policy(path, data) == found
    began_us = 1_700_000_000_000_000
    assert began_us < stops_utc_us(found.policy, began_us) <= began_us + 25 * 3600 * 1_000_000


def recipe(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recipe.yaml"
        path.write_bytes(data)
        found = load_recipe(path).recipe
        path.write_text(found.model_dump_json(exclude_none=True))  # JSON is YAML
        assert load_recipe(path).recipe == found


def settings(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "station.yaml"
        path.write_bytes(data)
        found = load_settings(path)
        assert found.slots
        assert sum(map(len, found.rows)) == len(found.slots)


def families(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "families.yaml"
        path.write_bytes(data)
        found = load_families(path)
        path.write_text(found.file.model_dump_json(exclude_none=True))
        assert load_families(path) == found
    assert found.edl_default == found.edl_profile("none of them")
    for device in DEVICES:
        assert found.what_is(device).startswith(device.usb_id)
        assert found.is_module(device.usb_id) or found.mode_of(device) in NO_MODULE
        family = found.family_of(device)
        assert family is None or family.diag_interface >= 0


def slot_map(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "slots.yaml"
        path.write_bytes(data)
        found = load_slot_map(path)
        path.write_text(slot_map_text(found.slots, found.hubs), encoding="utf-8")
        assert load_slot_map(path) == found


# --- the socket -------------------------------------------------------------------------------


def command(data: bytes) -> None:
    found = parse_command(data)
    assert parse_command(command_line(found)) == found


def message(data: bytes) -> None:
    found = parse_message(data)
    assert parse_message(message_line(found)) == found
