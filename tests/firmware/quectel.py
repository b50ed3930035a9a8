"""Small releases in the layout of Quectel's, built by hand, to be damaged by the tests."""

import hashlib
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

NAME = "EC25EFAR06A06M4G_01.002.01.002"
RAWPROGRAM = "update/firehose/rawprogram_nand_p2K_b128K_update.xml"
PROGRAMMER = "update/firehose/prog_nand_firehose_9x07.mbn"
TABLE = "update/firehose/partition_complete_p2K_b128K.mbn"
PATCH = "update/firehose/patch_p2K_b128K.xml"

Files = dict[str, bytes]


def rawprogram(*filenames: str) -> bytes:
    geometry = 'PAGES_PER_BLOCK="64" SECTOR_SIZE_IN_BYTES="2048"'
    lines = [
        f'  <program {geometry} filename="{name}" num_partition_sectors="640" '
        f'physical_partition_number="0" start_sector="{number * 640}"/>'
        for number, name in enumerate(filenames)
    ]
    return "\n".join(['<?xml version="1.0" ?>', "<data>", *lines, "</data>", ""]).encode()


def images() -> Files:
    """Everything but md5.txt."""
    return {
        "contents.xml": b"<contents/>\n",
        "update/sbl1.mbn": b"sbl" * 700,
        "update/NON-HLOS.ubi": b"UBI#" * 90_000,
        PROGRAMMER: b"\x7fELF programmer",
        TABLE: bytes(4096),
        PATCH: b"<patches></patches>",
        RAWPROGRAM: rawprogram(
            r"..\sbl1.mbn", "partition_complete_p2K_b128K.mbn", r"..\NON-HLOS.ubi"
        ),
    }


def md5_list(files: Mapping[str, bytes], *, more: Iterable[str] = ()) -> bytes:
    """As the real ones: back slashes, upper-case digits, CRLF."""
    lines = [
        f"FILE:\\{path.replace('/', chr(92))}:{md5(data).upper()}"
        for path, data in files.items()
        if path != "contents.xml"
    ]
    return "\r\n".join(["VERSION:1.0", "FILE:START", *lines, *more, "FILE:END", ""]).encode()


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def release(changes: Mapping[str, bytes | None] | None = None) -> Files:
    """A sound release with `changes` listed in its md5.txt; None takes a file out."""
    files = images()
    for path, data in (changes or {}).items():
        if data is None:
            del files[path]
        else:
            files[path] = data
    return {"md5.txt": md5_list(files), **files}


def write_folder(folder: Path, files: Mapping[str, bytes]) -> Path:
    for path, data in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return folder


def write_zip(
    path: Path, files: Mapping[str, bytes], *, method: int = zipfile.ZIP_DEFLATED
) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(member(name, method), data)
    return path


def member(name: str, method: int = zipfile.ZIP_DEFLATED) -> zipfile.ZipInfo:
    """A plain file as an archiver on Windows writes it; the name is kept as it is."""
    info = zipfile.ZipInfo(name)
    info.filename = info.orig_filename = name
    info.compress_type = method
    info.create_system = 0
    return info
