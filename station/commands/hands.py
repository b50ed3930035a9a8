"""What an operator's hands do, with simulated modules."""

from collections.abc import Mapping, Sequence

import trio

from station.commands.demo_files import SIZE_MB
from station.errors import NotNow, UsageError
from station.model import Slot
from station.sim.backend import SimBackend
from station.sim.factory import Factory
from station.sim.faults import FAULTS, Traits
from station.sim.port import Module
from station.sim.tray import port_of

SWAP_S = 3.0
"""What hands need to change a tray; attempts that lost their module have seen it gone by then."""

SEEN_S = 5.0
"""A station that lives looks at its ports more often."""


class SimHands:
    """A `station.engine.world.Hands`: fresh modules, and those that were pulled out before."""

    def __init__(self, slots: Sequence[Slot], *, family: str, seed: int) -> None:
        self._ports = {slot.name: port_of(slot) for slot in slots}
        self._factory = Factory(family, size_mb=SIZE_MB, seed=seed)
        self._pulled: dict[str, Module] = {}
        self._at_work = trio.Lock()
        self.backend = SimBackend(tuple(self._ports.values()))

    async def __call__(self, action: str, slot: str | None, fault: str | None) -> None:
        """`plug` or `unplug` a slot, or change the whole `tray`; returns when the station has
        seen it. Raises UsageError, NotNow."""
        if fault is not None and fault not in FAULTS:
            raise UsageError(f"no fault is called {fault!r}; see `station demo --list-faults`")
        async with self._at_work:
            match action, slot, fault:
                case "tray", None, None:
                    await self._change_tray()
                case "plug", str(), _:
                    self._plug(slot, fault)
                case "unplug", str(), None:
                    self._unplug(slot)
                case _:
                    raise UsageError("hands: plug SLOT [FAULT], unplug SLOT, or tray")
            await self.backend.seen(SEEN_S)

    def fill(self, faults: Mapping[str, str]) -> None:
        """Plug a fresh module into every slot; `faults` by slot."""
        modules = {name: self._fresh(faults.get(name)) for name in self._ports}
        for name, port in self._ports.items():
            self.backend.plug(port, modules[name])

    def _plug(self, slot: str, fault: str | None) -> None:
        """The module that was pulled out here goes back; with a fault it is another one."""
        pulled = self._pulled.pop(slot, None) or self._left_by_itself(slot)
        module = pulled if pulled is not None and fault is None else self._fresh(fault)
        self.backend.plug(self._ports[slot], module)

    def _left_by_itself(self, slot: str) -> Module | None:
        """The module of a slot whose fault is to leave and never return: nothing shows whether
        it was pulled out. Raises NotNow for one that is there or will be."""
        port, now_s = self._ports[slot], trio.current_time()
        is_dark = port.device(now_s) is None and port.next_change_s(now_s) is None
        if port.module is not None and not is_dark:
            raise NotNow(f"a module is in slot {slot} already; take it out first")
        return port.module

    def _unplug(self, slot: str) -> None:
        module = self._ports[slot].module
        if module is None:
            raise NotNow(f"there is no module in slot {slot}")
        self._pulled[slot] = module
        self.backend.unplug(self._ports[slot])

    async def _change_tray(self) -> None:
        """The fresh tray goes in when the old one was seen to be gone."""
        for port in self._ports.values():
            self.backend.unplug(port)
        self._pulled.clear()
        await self.backend.seen(SEEN_S)
        await trio.sleep(SWAP_S)
        self.fill({})

    def _fresh(self, fault: str | None) -> Module:
        traits = Traits() if fault is None else FAULTS[fault].traits
        return self._factory.make(traits=traits)
