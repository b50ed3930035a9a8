"""A tray of simulated modules: one port per slot, one module per port."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from station.errors import ConfigError
from station.model import Slot
from station.sim.factory import Factory
from station.sim.faults import Traits, fault_named
from station.sim.module import SimModule
from station.sim.port import SimPort
from station.sim.timing import Timing


@dataclass(frozen=True, slots=True)
class SimTray:
    """Ports and modules by slot name; nothing is plugged in yet."""

    ports: Mapping[str, SimPort]
    modules: Mapping[str, SimModule]

    def plug(self, now_s: float) -> None:
        """Plug every module into its slot."""
        for name, port in self.ports.items():
            port.plug(self.modules[name], now_s)


def make_tray(
    slots: Sequence[Slot],
    *,
    family: str = "ec25",
    version: str | None = None,
    seed: int = 0,
    faults: Mapping[str, str] | None = None,
    size_mb: int = 16,
    timing: Timing = Timing(),  # noqa: B008 - frozen
    tolerant: bool = False,
) -> SimTray:
    """A module with an identity of its own for each slot, on an older version unless one is named.

    `faults` maps slot names to names of `station.sim.faults.FAULTS`; `size_mb` is the size of
    the firmware in flash. Raises ConfigError for a fault, slot or family there is not.
    """
    traits = {name: fault_named(fault).traits for name, fault in (faults or {}).items()}
    if strangers := traits.keys() - {slot.name for slot in slots}:
        raise ConfigError(f"a fault is given for {min(strangers)}, which is no slot of this tray")
    factory = Factory(family, size_mb=size_mb, seed=seed)
    return SimTray(
        {slot.name: port_of(slot) for slot in slots},
        {
            slot.name: factory.make(
                version=version,
                traits=traits.get(slot.name, Traits()),
                timing=timing,
                tolerant=tolerant,
            )
            for slot in slots
        },
    )


def port_of(slot: Slot) -> SimPort:
    """The slot's paths as a port: the lowest bus is the USB 2 side, the next its companion."""
    paths = sorted(slot.ports)
    if not paths:
        raise ConfigError(
            f"slot {slot.name} has no port path such as 1-1.4; simulated modules have no controller"
        )
    return SimPort(paths[0], paths[1] if len(paths) > 1 else None)
