"""What a module was like when the verdict of its attempt was committed: what is tried again may
change it, and so may whoever comes after a station that died."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from station.model import AttemptClosed, AttemptOpened, StepRecord
from station.sim.module import SimModule
from station.sim.referee import Breach
from station.store.facts import Facts
from station.store.writer import Store
from tests.faults.bench import Bench, is_calibrated


@dataclass(frozen=True, slots=True)
class Seen:
    """`flash` is old, new or partly; `struck`: how often its mishap did."""

    flash: str
    mode: str
    struck: int
    is_calibrated: bool
    breaches: tuple[Breach, ...]


@dataclass(slots=True)
class Witness:
    """Of one start of the station, over the modules by slot."""

    bench: Bench
    modules: Mapping[str, SimModule]
    seen: dict[str, Seen] = field(default_factory=dict)
    """By attempt."""
    _slots: dict[str, str] = field(default_factory=dict)

    def look(self, slot: str) -> Seen:
        """As it is now."""
        module = self.modules[slot]
        return Seen(
            self.bench.flash_of(module),
            module.mode,
            module.fate.struck,
            is_calibrated(module),
            tuple(module.breaches),
        )

    def at_end(self, attempt_id: str, slot: str) -> Seen:
        """Of an attempt that ended. Who was cut off with its commit has done nothing more."""
        return self.seen.get(attempt_id) or self.look(slot)

    def opened(self, opened: AttemptOpened) -> None:
        self._slots[opened.attempt_id] = opened.slot

    def closed(self, closed: AttemptClosed) -> None:
        self.seen[closed.attempt_id] = self.look(self._slots[closed.attempt_id])

    def store(self, store: Store) -> Store:
        return _Attended(store, self)  # type: ignore[return-value]  # it has all its methods


class _Attended:
    def __init__(self, store: Store, witness: Witness) -> None:
        self._store = store
        self._witness = witness

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the store has
        return getattr(self._store, name)

    async def open_attempt(self, opened: AttemptOpened, steps: Sequence[StepRecord] = ()) -> None:
        await self._store.open_attempt(opened, steps)
        self._witness.opened(opened)

    async def close_attempt(self, closed: AttemptClosed, facts: Facts | None = None) -> None:
        await self._store.close_attempt(closed, facts)
        self._witness.closed(closed)
