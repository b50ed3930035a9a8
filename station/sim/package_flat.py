"""Writes synthetic releases for qdl: one flat folder, in an order that may be followed as it is.

    prog_nand_firehose_*.mbn  rawprogram_nand_*.xml  patch_*.xml  *.mbn *.img *.ubi *.elf

    qdl --storage nand --include DIR DIR/prog_*.mbn DIR/rawprogram_*.xml DIR/patch_*.xml

qdl opens file names as they stand, so there are no backslashes and no folders in them. It wants
`label`, and the version of 2022 `last_sector`, in each `program`; newer ones want `sparse`. It
sends all erases in the order of the file, then all programs: the boot loader is erased first and
written last.

Ref: linux-msm/qdl program.c and firehose.c, the version of 2022-07.
"""

from collections.abc import Iterator
from pathlib import Path

from station.errors import ConfigError, DiskTrouble
from station.sim.images import image_lengths, image_pieces, programmer
from station.sim.layouts import Layout, Part, layout_of
from station.sim.package import document, patch


def write_flat_package(
    folder: Path, *, family: str, version: str, size_mb: int, seed: int = 0
) -> Path:
    """The images of `write_package` with the same arguments, in `folder`, which must be empty or
    not exist. Returns `folder`. Raises ConfigError (family, size, folder in use), DiskTrouble."""
    layout = layout_of(family)
    lengths = image_lengths(layout, size_mb)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ConfigError(f"{folder} is not empty: a package gets a folder of its own")
        for part in layout.programmed:
            with (folder / file_name(part)).open("wb") as file:
                for piece in image_pieces(layout, part, lengths[part.name], version, seed):
                    file.write(piece)
        for name, data in _small_files(layout):
            (folder / name).write_bytes(data)
    except OSError as error:
        raise DiskTrouble(f"{folder} cannot be written: {error.strerror}") from error
    return folder


def file_name(part: Part) -> str:
    """The image's file without its folder."""
    return part.image.rpartition("/")[2]


def flat_rawprogram(layout: Layout) -> str:
    """`rawprogram_nand_*.xml`: all erases, then all programs, the boot loader first and last."""
    boot_loader, *others = layout.programmed
    erases = [_element("erase", layout, part) for part in (boot_loader, *others)]
    programs = [_element("program", layout, part) for part in (*others, boot_loader)]
    return document("data", erases + programs)


def _small_files(layout: Layout) -> Iterator[tuple[str, bytes]]:
    yield layout.programmer_file, programmer(layout)
    yield f"rawprogram_nand_{layout.suffix}.xml", flat_rawprogram(layout).encode()
    yield f"patch_{layout.suffix}.xml", patch(layout).encode()


def _element(tag: str, layout: Layout, part: Part) -> str:
    start, count = layout.start_sector(part), layout.num_sectors(part)
    attributes: dict[str, str | int] = {
        "PAGES_PER_BLOCK": layout.pages_per_block,
        "SECTOR_SIZE_IN_BYTES": layout.sector_size_bytes,
        "num_partition_sectors": count,
        "physical_partition_number": 0,
        "start_sector": start,
    }
    if tag == "program":
        names = {"filename": file_name(part), "label": part.name}
        attributes |= {**names, "last_sector": start + count - 1, "sparse": "false"}
    words = " ".join(f'{name}="{value}"' for name, value in attributes.items())
    return f"<{tag} {words}/>"
