"""Holds each module in its pair of the kernel's virtual ports, one enumeration after another.

The kernel's own `usbip attach` takes the next free port and forgets a device that leaves. Here a
module has its pair of ports for good: it leaves, the connection ends, the kernel takes it away;
it returns, and is attached to the same port, or to the companion if its speed is another now.
"""

import errno
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import trio

from station.errors import RehearsalError, StationError, VhciTaken
from station.sim.vhci import PortPair, Vhci, VhciPort

FREE_S = 30.0
"""The kernel has taken a device away by then, drivers, programs that hold it, and all."""

START_S = 5.0
"""A rehearsal that ended just now has let its ports go by then."""

LOOK_S = 0.01
"""How often a port is looked at until it is free; sysfs has no event for that."""

CALM_S = 1.0
"""Between two attachments of the same enumeration: the kernel dropped it and will again."""

AttachOnce = Callable[[str], Awaitable[None]]
"""One enumeration of the module of this name, from its arrival to its end."""


@dataclass(frozen=True, slots=True)
class Keeper:
    """`pairs`: each module's ports. `patience` stretches all deadlines, for clocks that run
    faster. Troubles are told, and are one module's."""

    vhci: Vhci
    pairs: Mapping[str, PortPair]
    tell: Callable[[str], None]
    patience: float = 1.0

    @property
    def sides(self) -> list[VhciPort]:
        return [side for pair in self.pairs.values() for side in (pair.high, pair.super)]

    async def begin(self) -> None:
        """Wait until every port is free. Raises VhciTaken or NoVhci if that does not come."""
        for side in self.sides:
            await self.free(side, START_S)

    async def keep(
        self,
        attach_once: AttachOnce,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Hold every module's ports until cancelled."""
        async with trio.open_nursery() as nursery:
            for name in self.pairs:
                nursery.start_soon(self._keep_one, name, attach_once)
            task_status.started()

    async def free_pair(self, name: str) -> None:
        """Both of a module's ports. Raises VhciTaken."""
        pair = self.pairs[name]
        for either in (pair.high, pair.super):
            await self.free(either)

    async def free(self, side: VhciPort, timeout_s: float = FREE_S) -> None:
        """Wait until the kernel has nothing at this port. Raises VhciTaken."""
        with trio.move_on_after(timeout_s * self.patience):
            while not self.vhci.is_free(side):  # noqa: ASYNC110 - sysfs has no event for it
                await trio.sleep(LOOK_S * self.patience)
            return
        raise VhciTaken(
            f"virtual port {side.number} ({side.path}) is not free after {timeout_s:g} s"
        )

    async def let_go(self) -> None:
        """All connections are closed: see the kernel take the devices away, for a while."""
        with trio.CancelScope(shield=True):
            try:
                for side in self.sides:
                    await self.free(side)
            except RehearsalError as trouble:
                self.tell(str(trouble))

    async def calm(self) -> None:
        await trio.sleep(CALM_S * self.patience)

    async def _keep_one(self, name: str, attach_once: AttachOnce) -> None:
        while True:
            try:
                await attach_once(name)
            except StationError as trouble:
                self.tell(f"{name}: {trouble}")
                await self.calm()
            except OSError as trouble:
                self.tell(f"{name} could not be attached, and is tried again: {_why(trouble)}")
                await self.calm()


def _why(trouble: OSError) -> str:
    said = trouble.strerror or str(trouble)
    is_full = trouble.errno in (errno.EMFILE, errno.ENFILE)
    return f"{said} (raise the limit: `ulimit -n`)" if is_full else said
