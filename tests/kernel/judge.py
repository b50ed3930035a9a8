"""What became of a tray: verdicts, and the modules' own flash, which is the judge."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from station.model import AttemptRecord, Outcome
from station.sim.layouts import Layout, layout_of
from tests.engine.tray import code_of
from tests.kernel.rehearsal import Line, Rehearsal

EC25 = layout_of("ec25")


def padded(data: bytes, layout: Layout = EC25) -> tuple[int, str]:
    """Length and sha256 of an image as it lies in flash: whole sectors."""
    sector_bytes = layout.sector_size_bytes
    whole = data.ljust(-(-len(data) // sector_bytes) * sector_bytes, b"\0")
    return len(whole), hashlib.sha256(whole).hexdigest()


def flash_after(package: Path, layout: Layout = EC25) -> dict[str, tuple[int, str]]:
    """What a module's flash holds when this package was written: partition -> length and sha256."""
    update = package / "update"
    return {p.name: padded((update / p.image).read_bytes(), layout) for p in layout.programmed}


def assert_flashed(
    tray: Rehearsal, line: Line, slot: str, *, layout: Layout = EC25, alone: bool = True
) -> None:
    """The module's flash is the package, byte for byte; its calibration is its own; no rule of a
    protocol was broken, by us: not `alone` means that another program spoke to it, too."""
    wanted = flash_after(line.package(layout.family), layout)
    found = tray.flash_of(slot)
    assert {name: found[name] for name in wanted} == wanted, slot
    assert tray.ask("calibration", slot=slot) == {"intact": True}
    assert not alone or tray.ask("breaches", slot=slot) == []


def assert_verdicts(
    records: Mapping[str, AttemptRecord], expected: Mapping[str, tuple[Outcome, str] | None]
) -> None:
    """Outcome and code of each slot; None is PASS."""
    found = {}
    for slot, record in records.items():
        assert record.closed is not None, slot
        found[slot] = (record.closed.outcome, code_of(record))
    wanted = {slot: verdict or (Outcome.PASS, None) for slot, verdict in expected.items()}
    assert found == wanted, {slot: r.closed and r.closed.failure for slot, r in records.items()}


def outcome(attempt: dict[str, Any]) -> tuple[str, str | None]:
    """Of an attempt as `--json` tells it."""
    failure = attempt["failure"]
    return attempt["outcome"], failure["code"] if failure else None


def told(attempts: dict[str, dict[str, Any]]) -> dict[str, str]:
    """What each slot says, for a test that fails."""
    return {
        slot: " ".join((attempt["outcome"], *map(str, (attempt["failure"] or {}).values())))
        for slot, attempt in sorted(attempts.items())
    }


def drivers(tray: Rehearsal, slot: str) -> list[str]:
    """The kernel's drivers at the interfaces of what is in a slot, in their order."""
    device = tray.device(slot)
    if device is None:
        return []
    return [
        (interface / "driver").resolve().name
        for interface in sorted(device.glob(f"{device.name}:*"))
        if (interface / "driver").exists()
    ]
