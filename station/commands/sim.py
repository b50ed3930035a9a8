"""`station sim serve`: the engine over simulated modules."""

import math
import secrets
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from station.commands.exits import Exit
from station.commands.hands import SimHands
from station.commands.serve import serve
from station.config import Settings
from station.errors import UsageError
from station.sim.clock import ScaledClock
from station.sim.faults import FAULTS
from station.sim.layouts import layout_of
from station.sim.package import write_package
from station.sim.package_flat import write_flat_package


@dataclass(frozen=True, slots=True)
class Modelled:
    """What is simulated. `faults` by slot, of the first tray; `seed` None: any."""

    family: str = "ec25"
    seed: int | None = None
    speed: float = 1.0
    faults: Mapping[str, str] = field(default_factory=dict)

    def check(self, slots: Iterable[str], faults: Container[str] = FAULTS) -> None:
        """Raises UsageError, ConfigError for what cannot be; `faults` are those there are."""
        if not 0.1 <= self.speed <= 50:
            raise UsageError(f"--speed is {self.speed:g}; it can be 0.1 to 50")
        layout_of(self.family)
        names = set(slots)
        for slot, fault in self.faults.items():
            if slot not in names:
                raise UsageError(f"--fault {slot}={fault}: there is no slot {slot}")
            if fault not in faults:
                raise UsageError(f"--fault {slot}={fault}: no such fault; see --list-faults")

    def check_live(self) -> None:
        """Raises UsageError for a time in which screens would take the engine for dead."""
        if self.speed < 1:
            raise UsageError(f"--speed is {self.speed:g}; for a live screen it can be 1 to 50")

    def any_seed(self) -> int:
        return secrets.randbelow(1_000_000) if self.seed is None else self.seed


_WRITERS = {"quectel": write_package, "qdl": write_flat_package}


def write_synthetic(folder: Path, *, family: str, size_mb: int, layout: str) -> None:
    """A newer release than simulated modules come with. Raises UsageError, ConfigError,
    DiskTrouble."""
    if (write := _WRITERS.get(layout)) is None:
        raise UsageError(f"--layout is {layout!r}; it can be {' or '.join(_WRITERS)}")
    version = layout_of(family).newer_version
    write(folder, family=family, version=version, size_mb=size_mb)


def serve_simulated(settings: Settings, modelled: Modelled, linger_s: float = math.inf) -> Exit:
    """Serve until stopped, or until nobody has looked for `linger_s` of real time. The first
    tray is plugged in when the engine is ready, so that its modules arrive."""
    modelled.check(slot.name for slot in settings.slots)
    modelled.check_live()
    if not linger_s > 0:
        raise UsageError(f"--linger is {linger_s:g}; it must be above 0")
    hands = SimHands(settings.slots, family=modelled.family, seed=modelled.any_seed())

    async def plug_tray() -> None:
        hands.fill(modelled.faults)

    return serve(
        settings,
        hands.backend,
        own_ports=False,
        clock=ScaledClock(modelled.speed),
        hands=hands,
        linger_s=linger_s * modelled.speed,
        ready=plug_tray,
    )
