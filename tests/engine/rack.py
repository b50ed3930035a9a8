"""A rack of returns for tests: modules of mixed versions, most of them known to the record."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import trio

from station.config import Settings, load_settings
from station.model import (
    AttemptClosed,
    AttemptOpened,
    Mode,
    Outcome,
    PackageRef,
    PortPath,
    Unit,
    VerifyKind,
)
from station.sim.backend import SimBackend
from station.sim.factory import Factory
from station.sim.faults import Traits, fault_named
from station.sim.layouts import LAYOUTS
from station.sim.module import SimModule
from station.sim.tray import SimTray, port_of
from station.store.ids import new_id
from station.store.unit_events import QUARANTINED, Judgement
from station.store.writer import Store, now_utc_us, open_store
from tests.demo_line import demo_line
from tests.engine import tray
from tests.new_record import new_record

SIZE_MB = 2
POLICY: dict[str, object] = {
    "name": "nightly",
    "recipes": ["ec25-demo"],
    "groups": {"first": 4, "next": 16, "good_percent": 50},
    "limits": {"at_once": 8, "attempts": 2},
    "stop_at": "05:30",
}


def make_rack(
    folder: Path,
    slots: int,
    *,
    faults: Mapping[str, str] | None = None,
    at_target: tuple[str, ...] = (),
    versions: Mapping[str, str] | None = None,
    families: Mapping[str, str] | None = None,
) -> tray.Line:
    """A line with these modules; nothing is plugged in. `at_target`: they have the new version.
    `versions`, `families`: of slots that have another than the rest."""
    names = [f"A{number}" for number in range(1, slots + 1)]
    config = demo_line(folder, names, size_mb=SIZE_MB)
    write_policy(folder)
    of_family = {family: Factory(family, size_mb=SIZE_MB, seed=3) for family in LAYOUTS}
    modules: dict[str, SimModule] = {}
    for name in names:
        fault = (faults or {}).get(name)
        traits = Traits() if fault is None else fault_named(fault).traits
        factory = of_family[(families or {}).get(name, "ec25")]
        version = (versions or {}).get(name)
        if name in at_target:
            version = factory.layout.newer_version
        modules[name] = factory.make(traits=traits, version=version)
    ports = {slot.name: port_of(slot) for slot in load_settings(config).slots}
    return tray.Line(folder, SimTray(ports, modules), SimBackend(tuple(ports.values())))


def write_policy(folder: Path, **changes: object) -> Path:
    path = folder / "campaigns" / "nightly.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(POLICY | changes), encoding="utf-8")
    return path


def plug_all(bench: tray.Line) -> None:
    for name, port in bench.tray.ports.items():
        bench.backend.plug(port, bench.tray.modules[name])


@dataclass(frozen=True, slots=True)
class Before:
    """What the record knows of the rack before the night."""

    settings: Settings
    store: Store

    async def passed(self, module: SimModule) -> None:
        """This unit was shipped from here once."""
        who = module.identity
        unit = Unit(imei=who.imei, serial=who.serial)
        attempt_id, now_us = new_id(), now_utc_us()
        await self.store.open_attempt(
            AttemptOpened(
                attempt_id=attempt_id,
                station=self.settings.station.name,
                site=self.settings.station.site,
                slot="A1",
                port_path=str(PortPath(1, (1, 1))),
                operator="maria",
                software_version="0",
                trigger="arrival",
                started_utc_us=now_us,
                unit=unit,
                package=PackageRef("shipped", "ab" * 32),
            )
        )
        await self.store.close_attempt(
            AttemptClosed(
                attempt_id=attempt_id,
                outcome=Outcome.PASS,
                failure=None,
                ended_utc_us=now_us,
                duration_us=1,
                verify=VerifyKind.READBACK,
                unit=unit,
                firmware_after=None,
                final_mode=Mode.RUNTIME,
            )
        )

    async def quarantined(self, module: SimModule, reason: str) -> None:
        station = self.settings.station.name
        said = Judgement(module.identity.imei, QUARANTINED, station, now_utc_us(), "eva", reason)
        await self.store.judge_unit(said)


async def tell_of_returns(
    bench: tray.Line,
    *,
    but: tuple[str, ...] = (),
    quarantined: Mapping[str, str] | None = None,
) -> None:
    """All modules of the rack passed here before, `but` those in these slots."""
    settings = bench.settings()
    await trio.to_thread.run_sync(new_record, settings.database)
    async with open_store(settings.database) as store:
        before = Before(settings, store)
        for slot, module in bench.tray.modules.items():
            if slot not in but:
                await before.passed(module)
        for slot, reason in (quarantined or {}).items():
            await before.quarantined(bench.tray.modules[slot], reason)
