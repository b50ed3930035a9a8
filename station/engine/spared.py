"""Hubs that took others along when one of their ports was cut: an engine cuts there only once."""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import trio

from station.engine.ports import SlotPort
from station.places import PortPath
from station.transport.base import Power, PowerProof, Switched

POWER_OFF_S = 3.0
"""Long enough for the capacitors of a module."""

TURN_S = 45.0
"""A cut, and a module that does not come back, take less."""

_Hub = tuple[int, PortPath | None]
"""Its bus, and its path there; None: the ports of the controller itself."""


@dataclass(slots=True)
class SparedHubs:
    """One engine's. It is forgotten when the engine ends: somebody may exchange the hub, and who
    asks anew pays once. Until a hub was seen to leave others alone, one port of it is cut at a
    time: else several slots would find out together."""

    _why: dict[_Hub, str] = field(default_factory=dict)
    _leaves_others: set[_Hub] = field(default_factory=set)
    _turns: dict[_Hub, trio.Lock] = field(default_factory=dict)

    async def cycle(
        self, power: Power, port: SlotPort, begins: Callable[[], None] = lambda: None
    ) -> PowerProof:
        """Take the slot's power away for a moment, while others work. `begins` is told just before:
        another slot's turn may have been waited for. NOT SWITCHABLE, with nothing done, on a hub
        where that took others along. Raises UsbError as `Power.cycle` does."""
        ports = port.slot.ports
        hubs = sorted({(path.bus, path.hub) for path in ports}, key=str)
        async with AsyncExitStack() as turn:
            await self._wait(hubs, turn)
            why = next((self._why[hub] for hub in hubs if hub in self._why), None)
            if why is not None:
                return PowerProof(Switched.NOT_SWITCHABLE, why)
            begins()
            proof = await power.cycle(
                ports, off_s=POWER_OFF_S, blind=True, is_leaving=port.is_leaving
            )
            if proof.verdict is Switched.CUTS_OTHERS:
                self._why |= dict.fromkeys(hubs, _words(port.slot.name, proof.why))
            elif proof.spares_others:
                self._leaves_others.update(hubs)
            return proof

    async def _wait(self, hubs: Sequence[_Hub], turn: AsyncExitStack) -> None:
        """For those that are cut there now. Not for ever: several modules may be dead."""
        with trio.move_on_after(TURN_S):
            for hub in hubs:
                if hub not in self._leaves_others:
                    lock = self._turns.setdefault(hub, trio.Lock())
                    await lock.acquire()
                    turn.callback(lock.release)
        if self._leaves_others.issuperset(hubs):
            await turn.aclose()  # found out meanwhile


def _words(slot: str, seen: str) -> str:
    return (
        f"its hub took others along when the power of slot {slot} was cut ({seen}) and is not "
        "switched again until the engine restarts; look with `station slots power-test`, and use a "
        "hub that switches each port by itself"
    )
