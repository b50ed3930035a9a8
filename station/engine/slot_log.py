"""Puts on record how each slot was over time, without any slot ever waiting for it.

Changes are collected and committed together, at most once a second. While the database is in
trouble they wait; a slot that has too many waiting keeps its oldest ones and its newest.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import trio

from station.errors import StoreError
from station.live import SlotState
from station.store.ids import new_id
from station.store.slot_states import OFF, SlotChange
from station.store.writer import Store

PACE_S = 1.0
MAX_WAITING = 100
"""Of one slot: some ten modules."""


@dataclass(slots=True)
class SlotLog:
    """`note` at any time; `run` once; `end` when no slot is looked after any more."""

    store: Store
    station: str
    clock: Callable[[], int]
    _waiting: dict[str, list[SlotChange]] = field(default_factory=dict)
    _last: dict[str, str] = field(default_factory=dict)
    _rung: trio.Event = field(default_factory=trio.Event)

    def note(self, slot: str, state: SlotState) -> None:
        """The slot is in this state now; nothing if it was already."""
        self._note(slot, state.value)

    def _note(self, slot: str, state: str) -> None:
        if self._last.get(slot) == state:
            return
        self._last[slot] = state
        waiting = self._waiting.setdefault(slot, [])
        if len(waiting) >= MAX_WAITING:
            waiting.pop()
        waiting.append(SlotChange(new_id(), self.station, self.clock(), slot, state))
        self._rung.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._rung.wait()
            self._rung = trio.Event()
            await self._commit_if_possible()
            await trio.sleep(PACE_S)

    async def _commit_if_possible(self) -> None:
        try:
            if self.store.is_writable:  # else the health's look finds out, not this
                await self._commit()
        except StoreError:
            pass
        if self._waiting:
            self._rung.set()

    async def _commit(self) -> None:
        due, self._waiting = self._waiting, {}
        changes = sorted((c for some in due.values() for c in some), key=lambda c: c.change_id)
        try:
            await self.store.add_slot_changes(changes)
        except BaseException:
            self._put_back(due)
            raise

    def _put_back(self, due: dict[str, list[SlotChange]]) -> None:
        for slot, newer in self._waiting.items():
            both = [*due.get(slot, []), *newer]
            due[slot] = both if len(both) <= MAX_WAITING else [*both[: MAX_WAITING - 1], both[-1]]
        self._waiting = due

    async def end(self) -> None:
        """All slots are off from now on; what waits is committed. Raises StoreError: it is lost."""
        for slot in list(self._last):
            self._note(slot, OFF)
        if self._waiting:
            await self._commit()
