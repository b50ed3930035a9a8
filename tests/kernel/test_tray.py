"""A tray from end to end on a real kernel: its drivers bound, its modules leaving and returning."""

import hashlib
from pathlib import Path
from typing import Any

from station.sim.layouts import layout_of
from tests.engine.test_tray import EIGHT_FAULTS
from tests.kernel.kernel import until
from tests.kernel.rehearsal import Line, Rehearsal, make_line, rehearsal

EC25 = layout_of("ec25")


def padded(data: bytes, sector_bytes: int) -> tuple[int, str]:
    whole = data.ljust(-(-len(data) // sector_bytes) * sector_bytes, b"\0")
    return len(whole), hashlib.sha256(whole).hexdigest()


def in_package(line: Line) -> dict[str, tuple[int, str]]:
    """Partition -> what the package puts there."""
    update = line.package() / "update"
    return {
        part.name: padded((update / part.image).read_bytes(), EC25.sector_size_bytes)
        for part in EC25.programmed
    }


def assert_flashed(tray: Rehearsal, line: Line, slot: str) -> None:
    """The module's flash is the package, byte for byte; its calibration is its own; no rule of a
    protocol was broken."""
    found = tray.flash_of(slot)
    wanted = in_package(line)
    assert {name: found[name] for name in wanted} == wanted, slot
    assert tray.ask("calibration", slot=slot) == {"intact": True}
    assert tray.ask("breaches", slot=slot) == []


def outcome(attempt: dict[str, Any]) -> tuple[str, str | None]:
    failure = attempt["failure"]
    return attempt["outcome"], failure["code"] if failure else None


def told(attempts: dict[str, dict[str, Any]]) -> dict[str, str]:
    """What each slot would say, for a test that fails."""
    return {
        slot: " ".join((attempt["outcome"], *map(str, (attempt["failure"] or {}).values())))
        for slot, attempt in sorted(attempts.items())
    }


def drivers(tray: Rehearsal, slot: str) -> list[str]:
    device = tray.device(slot)
    if device is None:
        return []
    return [
        (interface / "driver").resolve().name
        for interface in sorted(device.glob(f"{device.name}:*"))
        if (interface / "driver").exists()
    ]


def test_eight_modules_pass_with_the_kernels_drivers_bound(tmp_path: Path) -> None:
    names = [f"A{number}" for number in range(1, 9)]
    with rehearsal(tmp_path, 8) as tray:
        line = make_line(tmp_path, tray.slots)
        bound = ["option"] * 4 + ["qmi_wwan"]
        assert until(lambda: all(drivers(tray, slot) == bound for slot in names), 60)

        code, attempts = line.flash("--wait", "60")

        assert {slot: outcome(attempts[slot]) for slot in names} == dict.fromkeys(
            names, ("PASS", None)
        )
        assert code == 0
        for slot in names:
            assert_flashed(tray, line, slot)
        assert until(lambda: all(drivers(tray, slot) == bound for slot in names), 30)


def test_eight_faults_give_eight_codes_and_harm_no_neighbour(tmp_path: Path) -> None:
    faults = [f"{slot}={fault}" for slot, (fault, _, _) in EIGHT_FAULTS.items()]
    named = [word for fault in faults for word in ("--fault", fault)]
    with rehearsal(tmp_path, 9, *named) as tray:
        line = make_line(tmp_path, tray.slots)
        _, attempts = line.flash("--wait", "60")
        found = {slot: outcome(attempt) for slot, attempt in attempts.items()}
        assert found == {
            **{slot: (verdict.value, code) for slot, (_, code, verdict) in EIGHT_FAULTS.items()},
            "A9": ("PASS", None),
        }
        assert_flashed(tray, line, "A9")
