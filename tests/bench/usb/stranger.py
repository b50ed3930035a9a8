"""Debian's qdl and the same image; its CPU includes reading the files."""

import os
import subprocess
from pathlib import Path
from xml.sax.saxutils import quoteattr

from station.sim.images import programmer
from tests.bench.usb.runs import EC25, MB, Bench, Run


def qdl(bench: Bench, folder: Path, slot: str) -> Run:
    (folder / "system.ubi").symlink_to(bench.image.path)
    (folder / "programmer.mbn").write_bytes(programmer(EC25))
    (folder / "rawprogram.xml").write_text(_rawprogram(bench))
    bench.cycle(slot)
    server_s, before = bench.server_s(), os.times()
    subprocess.run(
        ["qdl", "--storage", "nand", "programmer.mbn", "rawprogram.xml"],
        cwd=folder,
        check=False,
        timeout=300,
        capture_output=True,
    )
    after = os.times()
    found = {part["name"]: part for part in bench.tray.ask("dump", slot=slot)}
    assert found["system"]["length_bytes"] == bench.image.length_bytes, "qdl did not write it"
    return Run(
        bench.image.length_bytes / MB,
        after.elapsed - before.elapsed,
        after.children_user - before.children_user,
        after.children_system - before.children_system,
        bench.server_s() - server_s,
    )


def _rawprogram(bench: Bench) -> str:
    sectors = bench.image.length_bytes // EC25.sector_size_bytes
    place = {
        "PAGES_PER_BLOCK": EC25.pages_per_block,
        "SECTOR_SIZE_IN_BYTES": EC25.sector_size_bytes,
        "num_partition_sectors": sectors,
        "physical_partition_number": 0,
        "start_sector": bench.start_sector,
    }
    named = {
        "filename": "system.ubi",
        "label": "system",
        "last_sector": bench.start_sector + sectors - 1,
        "sparse": "false",
    }
    erase = " ".join(f"{key}={quoteattr(str(value))}" for key, value in place.items())
    program = " ".join(f"{key}={quoteattr(str(value))}" for key, value in (place | named).items())
    return f'<?xml version="1.0" ?>\n<data>\n<erase {erase}/>\n<program {program}/>\n</data>\n'
