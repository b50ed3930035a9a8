"""Power of simulated sockets: without it a module is gone, with it again it boots."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import trio

from station.places import PortPath
from station.sim.port import SimPort
from station.transport.base import RETURN_S, Leaving, PowerProof, Switched, nobody

if TYPE_CHECKING:
    from station.sim.backend import SimBackend

_EMPTY = PowerProof(Switched.EMPTY, "nothing is plugged in")


class SimPower:
    """A `station.transport.base.Power` over the ports of a SimBackend. Sockets in `pretending`
    keep their power whatever they are told."""

    def __init__(
        self,
        backend: "SimBackend",
        ports: Sequence[SimPort],
        pretending: Collection[PortPath] = (),
    ) -> None:
        self._backend = backend
        self._ports = ports
        self._pretending = frozenset(pretending)

    async def cycle(
        self,
        ports: Collection[PortPath],
        *,
        off_s: float,
        blind: bool = False,
        is_leaving: Leaving = nobody,  # noqa: ARG002 - hubs of a rehearsal take nobody along
    ) -> PowerProof:
        port = next((p for p in self._ports if {p.high_speed, p.super_speed} & set(ports)), None)
        if port is None:
            return PowerProof(Switched.NOT_SWITCHABLE, "there is no such port")
        module = port.module
        if module is None:
            return await self._returned(port, left_s=None) if blind else _EMPTY
        if {port.high_speed, port.super_speed} & self._pretending:
            await trio.sleep(off_s)
            return PowerProof(Switched.PRETENDS, "the module stayed where it was")
        self._backend.unplug(port)
        try:
            await trio.sleep(off_s)
        finally:
            if port.module is None:  # nobody has plugged another one meanwhile
                self._backend.plug(port, module)
        return await self._returned(port, left_s=0.0)

    async def _returned(self, port: SimPort, left_s: float | None) -> PowerProof:
        on_s = trio.current_time()
        while (rest_s := on_s + RETURN_S - trio.current_time()) > 0:
            if any(
                device.path in (port.high_speed, port.super_speed)
                for device in await self._backend.scan()
            ):
                back_s = trio.current_time() - on_s
                return PowerProof(Switched.SWITCHES, "", left_s, back_s, spares_others=True)
            await self._backend.wait_change(rest_s)
        return PowerProof(Switched.NO_RETURN, "it did not come back", left_s, spares_others=True)
