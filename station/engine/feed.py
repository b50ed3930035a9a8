"""What screens are told: the newest of everything, and who has not seen it yet.

A slow reader costs nothing but its own freshness. Each subscription remembers only which slots
changed and how far it has read the log and a transcript; the values themselves are kept once,
for all. Everything here runs in the engine's own thread.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass, replace
from itertools import islice
from types import MappingProxyType
from typing import Any

import trio

from station.errors import UsageError
from station.live import LineView, LogLine, SlotView
from station.wire import (
    Beat,
    LineChanged,
    Logged,
    Message,
    SlotChanged,
    Snapshot,
    Transcript,
)

LOG_LINES = 500
TRANSCRIPT_LINES = 1000
TEXT_CHARS = 1000
"""No text is longer; a module has a hand in some of it."""

_PORTION_CHARS = 100_000
"""Log text in one message: even as escaped JSON it stays far below the longest line."""


def plain(text: str) -> str:
    """The text as a terminal may show it: cut, and control characters replaced."""
    if len(text) > TEXT_CHARS:
        text = text[: TEXT_CHARS - 1] + "…"
    if text.isprintable():
        return text
    return "".join(mark if mark.isprintable() else _stand_in(mark) for mark in text)


def _stand_in(mark: str) -> str:
    return " " if mark.isspace() else "?"


@dataclass(slots=True)
class _Ring:
    """The newest lines; `total` counts those that fell out, too."""

    lines: deque[LogLine]
    total: int = 0

    def add(self, line: LogLine) -> None:
        self.lines.append(line)
        self.total += 1

    def after(self, seen: int) -> Iterator[LogLine]:
        """What is left of the lines behind the first `seen`."""
        return islice(self.lines, max(0, len(self.lines) - (self.total - seen)), None)


class Feed:
    """What screens are told. Keeps the newest of everything; never waits for anybody."""

    def __init__(self, slots: Iterable[SlotView], line: LineView, clock: Callable[[], int]) -> None:
        """`slots` in the order of the settings; `clock` gives microseconds since the epoch."""
        self.clock = clock
        self._slots = {view.slot: _plain_all(view) for view in slots}
        self._line: LineView = _plain_all(line)
        self._log = _Ring(deque(maxlen=LOG_LINES))
        self._transcripts = {slot: _transcript() for slot in self._slots}
        self._subscriptions: set[Subscription] = set()

    @property
    def line(self) -> LineView:
        return self._line

    @property
    def slots(self) -> Mapping[str, SlotView]:
        """The newest view of each slot, in the order of the settings."""
        return MappingProxyType(self._slots)

    @property
    def watchers(self) -> int:
        """How many readers watch: those that were sent a snapshot."""
        return sum(subscription.has_begun for subscription in self._subscriptions)

    def show_slot(self, view: SlotView) -> None:
        """Tell a slot's new state; one that equals the last is not told again."""
        last = self._slots[view.slot]
        view = _plain_all(view, last)
        if view == last:
            return
        self._slots[view.slot] = view
        for subscription in self._subscriptions:
            subscription.slot_changed(view.slot)

    def show_line(self, view: LineView) -> None:
        """Tell the line's new state; one that equals the last is not told again."""
        view = _plain_all(view, self._line)
        if view == self._line:
            return
        self._line = view
        for subscription in self._subscriptions:
            subscription.line_changed()

    def log(self, text: str, *, slot: str | None = None, good: bool | None = None) -> None:
        """Add a line to the event log."""
        self._log.add(LogLine(self.clock(), plain(text), slot, good))
        for subscription in self._subscriptions:
            subscription.wake()

    def tell(self, slot: str, text: str, *, good: bool | None = None) -> None:
        """Add a line to the transcript of a slot."""
        self._transcripts[slot].add(LogLine(self.clock(), plain(text), slot, good))
        self._transcript_changed(slot)

    def begin(self, slot: str) -> None:
        """A new attempt: the slot's transcript starts anew."""
        self._transcripts[slot] = _transcript()
        self._transcript_changed(slot)

    def _transcript_changed(self, slot: str) -> None:
        for subscription in self._subscriptions:
            subscription.transcript_changed(slot)

    @contextmanager
    def subscribe(self) -> Iterator["Subscription"]:
        """A reader of its own, until the context ends."""
        subscription = Subscription(self, self._slots, self._log, self._transcripts)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)


@dataclass(slots=True, eq=False)
class Subscription:
    """One reader: what it has not been sent yet. Made by `Feed.subscribe`."""

    _feed: Feed
    _slots: Mapping[str, SlotView]
    _log: _Ring
    _transcripts: Mapping[str, _Ring]
    _seq: int = 0
    _begun: bool = False
    _changed_slots: set[str] = field(default_factory=set)
    _line_changed: bool = False
    _log_seen: int = 0
    _followed: str | None = None
    _transcript: _Ring | None = None
    """The transcript that was sent last; another one by now means: anew."""
    _transcript_seen: int = 0
    _news: trio.Event = field(default_factory=trio.Event)

    @property
    def has_begun(self) -> bool:
        return self._begun

    def follow(self, slot: str | None) -> None:
        """Read the transcript of this slot, too, from its beginning; None: of none.

        Raises UsageError for a slot that does not exist.
        """
        if slot is not None and slot not in self._slots:
            raise UsageError(f"command: follow.slot: there is no slot {plain(slot)!r}")
        self._followed = slot
        self._transcript = None
        self.wake()

    async def take(self) -> list[Message]:
        """Wait until something is new and return it: first a snapshot, then what changed.

        However often a slot changed, its newest view comes once. Cancelling loses nothing.
        """
        await trio.lowlevel.checkpoint()
        while not (messages := list(self._new())):
            self._news = trio.Event()
            await self._news.wait()
        return messages

    def beat(self) -> Beat:
        """The engine's clock, numbered like the rest."""
        return Beat(self._next_seq(), self._feed.clock())

    def wake(self) -> None:
        self._news.set()

    def slot_changed(self, slot: str) -> None:
        self._changed_slots.add(slot)
        self.wake()

    def line_changed(self) -> None:
        self._line_changed = True
        self.wake()

    def transcript_changed(self, slot: str) -> None:
        if slot == self._followed:
            self.wake()

    def _new(self) -> Iterator[Message]:
        if not self._begun:
            yield self._snapshot()
            return
        changed, self._changed_slots = self._changed_slots, set()
        for slot, view in self._slots.items():
            if slot in changed:
                yield SlotChanged(self._next_seq(), view)
        if self._line_changed:
            self._line_changed = False
            yield LineChanged(self._next_seq(), self._feed.line)
        for lines in _portions(self._log.after(self._log_seen)):
            yield Logged(self._next_seq(), lines)
        self._log_seen = self._log.total
        if self._followed is not None:
            yield from self._new_transcript(self._followed)

    def _snapshot(self) -> Snapshot:
        self._begun = True
        self._changed_slots.clear()
        self._line_changed = False
        self._log_seen = self._log.total
        newest = next(_portions(reversed(self._log.lines)), ())
        return Snapshot(
            seq=self._next_seq(),
            utc_us=self._feed.clock(),
            line=self._feed.line,
            slots=tuple(self._slots.values()),
            log=newest[::-1],
        )

    def _new_transcript(self, slot: str) -> Iterator[Transcript]:
        ring = self._transcripts[slot]
        anew = ring is not self._transcript
        seen = 0 if anew else self._transcript_seen
        self._transcript, self._transcript_seen = ring, ring.total
        portions = list(_portions(ring.after(seen)))
        if anew:
            yield Transcript(self._next_seq(), slot, portions[0] if portions else (), anew=True)
            portions = portions[1:]
        for lines in portions:
            yield Transcript(self._next_seq(), slot, lines, anew=False)

    def _next_seq(self) -> int:
        self._seq += 1
        return self._seq


def _transcript() -> _Ring:
    return _Ring(deque(maxlen=TRANSCRIPT_LINES))


def _portions(lines: Iterable[LogLine]) -> Iterator[tuple[LogLine, ...]]:
    """The lines in the same order, as many together as one message carries."""
    portion: list[LogLine] = []
    chars = 0
    for line in lines:
        chars += len(line.text)
        if chars > _PORTION_CHARS:
            yield tuple(portion)
            portion, chars = [], len(line.text)
        portion.append(line)
    if portion:
        yield tuple(portion)


def _plain_all(value: Any, known: Any = None) -> Any:  # noqa: ANN401 - all that views are made of
    """The same value with all its text plain; what is the same as in `known` is so already."""
    if value is known or isinstance(value, int):
        return value
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, tuple):
        return tuple(map(_plain_all, value))
    if not is_dataclass(value) or isinstance(value, type):
        return value
    changed = {}
    for place in fields(value):
        old = getattr(value, place.name)
        if (new := _plain_all(old, getattr(known, place.name, None))) is not old and new != old:
            changed[place.name] = new
    return replace(value, **changed) if changed else value
