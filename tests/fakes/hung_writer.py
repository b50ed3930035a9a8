"""A database that hangs: the writer's thread does not come back, and nobody else gets the writer.

For tests whose threads run in place (`tray_clock`).
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import trio

from station.errors import StoreError
from station.store.writer import Store


class HungWriter:
    """To be made before the store is opened. `since`: a call hangs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.since = trio.Event()
        self._in_place = trio.to_thread.run_sync
        self._back = trio.Event()
        self._back.set()
        self._free = trio.Semaphore(1)
        self._writer: trio.CapacityLimiter | None = None
        self._may: Callable[[], bool] = lambda: True
        self._left: Callable[[], object] | None = None
        make = Store.__init__

        def made(store: Store, *told: Any) -> None:  # noqa: ANN401 - handed through
            make(store, *told)
            self._writer = store._limiter

        monkeypatch.setattr(Store, "__init__", made)
        monkeypatch.setattr(trio.to_thread, "run_sync", self._run)

    def begin(self, may: Callable[[], bool] = lambda: True) -> None:
        """From now on the next call hangs, if it `may`."""
        self.since, self._back, self._may = trio.Event(), trio.Event(), may

    def end(self, *, is_lost: bool = False) -> None:
        """The disk is back. What hung comes about, though nobody waits for it any more, unless it
        is lost."""
        left, self._left = self._left, None
        if left is not None:
            if not is_lost:
                with suppress(StoreError):
                    left()
            self._free.release()
        self._back.set()

    async def _run(
        self,
        call: Callable[..., Any],
        *told: Any,  # noqa: ANN401 - handed through
        limiter: trio.CapacityLimiter | None = None,
        abandon_on_cancel: bool = False,
    ) -> Any:  # noqa: ANN401 - as trio's own
        if limiter is None or limiter is not self._writer:
            return await self._in_place(call, *told)
        await self._free.acquire()
        if not self._back.is_set() and self._may():
            self.since.set()
            await self._hang(lambda: call(*told), abandon_on_cancel)
        try:
            return call(*told)
        finally:
            self._free.release()

    async def _hang(self, call: Callable[[], object], may_be_left: bool) -> None:
        try:
            with trio.CancelScope(shield=not may_be_left):
                await self._back.wait()
        except trio.Cancelled:
            self._left = call
            raise
