"""A station that dies: from a moment on, neither its wires nor its disk answer it any more.

What is half done stays as it is, in the modules and in the record; nothing of its own endings,
shields or not, gets through.
"""

import math
from collections.abc import Callable
from typing import Any

import trio

from station.model import DeviceInfo
from station.sim.backend import SimBackend, SimPipe
from station.store.writer import Store


class Dead(BaseException):
    """Nobody is there to catch it."""


class Cut:
    """`at_s` is a time of trio's clock."""

    def __init__(self, at_s: float = math.inf) -> None:
        self.at_s = at_s

    def check(self) -> None:
        if trio.current_time() >= self.at_s:
            raise Dead

    async def strike(self) -> None:
        """Ends whatever only waits."""
        await trio.sleep_until(self.at_s)
        raise Dead

    def store(self, store: Store) -> Store:
        return _Mortal(store, self)  # type: ignore[return-value]  # it has all its methods


class _Mortal:
    def __init__(self, store: Store, cut: Cut) -> None:
        self._store = store
        self._cut = cut

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._store, name)

        async def call(*args: Any, **more: Any) -> Any:  # noqa: ANN401 - whatever the method takes
            self._cut.check()
            return await method(*args, **more)

        return call


class MortalBackend(SimBackend):
    """A SimBackend whose owner may die."""

    cut = Cut()

    async def scan(self) -> tuple[DeviceInfo, ...]:
        self.cut.check()
        return await super().scan()

    async def open(self, device: DeviceInfo, interface: int, *, line_state: bool) -> "MortalPipe":
        self.cut.check()
        pipe = await super().open(device, interface, line_state=line_state)
        return MortalPipe(pipe, self.cut)

    async def product(self, device: DeviceInfo) -> str | None:
        self.cut.check()
        return await super().product(device)

    async def reset(self, device: DeviceInfo) -> None:
        self.cut.check()
        await super().reset(device)


class MortalPipe(SimPipe):
    def __init__(self, pipe: SimPipe, cut: Cut) -> None:
        self.__dict__.update(pipe.__dict__)
        self._cut = cut

    def _check_open(self, doing: str) -> None:
        """Whatever is done with a pipe passes here."""
        self._cut.check()
        super()._check_open(doing)
