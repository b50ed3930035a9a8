"""What the station told whoever watched it, as far as they could read it."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from station.live import BUSY, SlotState, SlotView
from station.model import Outcome
from station.wire import SlotChanged, Snapshot, parse_message

AT_WORK = BUSY | {SlotState.SETTLING, SlotState.PROBING, SlotState.RETURNING}


LOOKING = frozenset({SlotState.IDENTIFYING, SlotState.PLANNED})
"""An attempt is on record before it changes the module, not before it looks."""


@dataclass
class Told:
    """The lines of `station line watch --json` in a file that grows."""

    lines: Path
    views: dict[str, SlotView] = field(default_factory=dict)
    committed: dict[str, str] = field(default_factory=dict)
    """Attempts that were shown as begun, and their slots."""
    verdicts: dict[str, Outcome] = field(default_factory=dict)
    """Attempts that were shown with their outcome."""
    _since_s: dict[str, float] = field(default_factory=dict)
    _worked: set[str] = field(default_factory=set)
    _heard_s: float | None = None
    _read_bytes: int = 0

    def listen(self) -> None:
        """Take in what is new; the last line may be torn."""
        if not self.lines.exists():
            return
        with self.lines.open("rb") as file:
            file.seek(self._read_bytes)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        if whole:
            self._heard_s = time.monotonic()
        self._read_bytes += len(whole)
        for line in whole.splitlines():
            match parse_message(line):
                case Snapshot(slots=slots):
                    for view in slots:
                        self._take(view)
                case SlotChanged(slot=view):
                    self._take(view)
                case _:
                    pass

    def silent_s(self) -> float:
        """Since when the station says nothing, once it has spoken: it does every second."""
        return 0.0 if self._heard_s is None else time.monotonic() - self._heard_s

    def is_good(self, slot: str) -> bool:
        """Its verdict stands and is a good one."""
        view = self.views.get(slot)
        return (
            view is not None
            and view.state is SlotState.DONE
            and view.outcome is not None
            and view.outcome.is_good
        )

    def rests_s(self, slot: str) -> float:
        """Since when the station does nothing with a slot; 0 while it does something."""
        view = self.views.get(slot)
        if view is None or view.state in AT_WORK:
            return 0.0
        return time.monotonic() - self._since_s[slot]

    def worked_at(self, slot: str) -> bool:
        """An attempt was begun in this boot."""
        return slot in self._worked

    def doing(self, slot: str) -> str:
        """The step under way, or the state if there is none."""
        view = self.views.get(slot)
        if view is None:
            return "starting"
        step = view.step if view.state.is_busy else None
        return step or view.state.value

    def _take(self, view: SlotView) -> None:
        before = self.views.get(view.slot)
        self.views[view.slot] = view
        if before is None or before.state is not view.state:
            self._since_s[view.slot] = time.monotonic()
        if view.state.is_busy:
            self._worked.add(view.slot)
        if view.attempt_id is None or view.state in LOOKING:
            return
        self.committed[view.attempt_id] = view.slot
        if view.outcome is not None and not view.state.is_busy:
            self.verdicts[view.attempt_id] = view.outcome
