"""What the engine last said, and how sure we may be of it. No Textual, no asyncio."""

import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from station.errors import NoEngine
from station.live import LineView, LogLine, SlotView
from station.wire import (
    Answer,
    Command,
    Hello,
    LineChanged,
    Logged,
    Message,
    SlotChanged,
    Snapshot,
    Transcript,
)

CONNECTING_S = 2.0
"""An engine that has just been started needs so long until it listens."""
STALE_S = 2.0
"""The engine speaks every second; silent for so long, its last word is old."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is new in the picture since the last look; empty: only the time has passed."""

    slots: frozenset[str] = frozenset()
    line: bool = False
    log: bool = False
    transcript: bool = False
    anew: bool = False
    """Connected again: everything may be different, the slots too."""


@dataclass(slots=True)
class Picture:
    """Changed by `take` only; screens read it."""

    hello: Hello | None = None
    line: LineView | None = None
    slots: dict[str, SlotView] = field(default_factory=dict)
    log: deque[LogLine] = field(default_factory=lambda: deque(maxlen=1000))
    followed: str | None = None
    transcript: deque[LogLine] = field(default_factory=lambda: deque(maxlen=1000))
    ahead_us: int = 0
    """The engine's clock minus ours, so that elapsed times are the engine's."""
    heard_utc_us: int | None = None
    """When the engine last said anything, by our clock on the wall."""
    heard_ns: int = 0
    """The same by `ticks_ns`."""
    ticks_ns: Callable[[], int] = time.monotonic_ns
    """What age is told by: a clock that nobody sets."""
    trouble: str = "connecting"
    """Why there is no engine, in words; empty while connected."""
    remedy: str = ""
    """What to do about `trouble`, or about an engine that says nothing."""
    began_ns: int = field(init=False)
    """Since when an engine is looked for, by `ticks_ns`."""

    def __post_init__(self) -> None:
        self.began_ns = self.ticks_ns()

    def take(self, message: Message, now_utc_us: int) -> Change:
        """Put one message into the picture."""
        self.heard_utc_us, self.heard_ns = now_utc_us, self.ticks_ns()
        match message:
            case Hello():
                self.hello = message
                return Change(anew=True)
            case Snapshot():
                self.ahead_us = message.utc_us - now_utc_us
                self.line = message.line
                self.slots = {view.slot: view for view in message.slots}
                self.log.clear()
                self.log.extend(message.log)
                self.trouble, self.remedy = "", NoEngine.remedy
                return Change(frozenset(self.slots), line=True, log=True, anew=True)
            case SlotChanged():
                self.slots[message.slot.slot] = message.slot
                return Change(frozenset({message.slot.slot}))
            case LineChanged():
                self.line = message.line
                return Change(line=True)
            case Logged():
                self.log.extend(message.lines)
                return Change(log=True)
            case Transcript():
                if message.anew or message.slot != self.followed:
                    self.transcript.clear()
                self.followed = message.slot
                self.transcript.extend(message.lines)
                return Change(transcript=True)
            case Answer():
                return Change()
            case _:  # a beat
                self.ahead_us = message.utc_us - now_utc_us
                return Change()

    @property
    def on_shift(self) -> str | None:
        """Who works at the line: in whose name a screen asks for what not everybody may."""
        shift = None if self.line is None else self.line.shift
        return None if shift is None else shift.operator

    def is_stale(self) -> bool:
        """True when what is shown may not be so any more."""
        if self.trouble or self.heard_utc_us is None:
            return True
        return self.silent_us > STALE_S * 1_000_000

    def is_connecting(self) -> bool:
        """No engine was there so far, and it was looked for a moment only."""
        waited_ns = self.ticks_ns() - self.began_ns
        return self.line is None and waited_ns < CONNECTING_S * 1_000_000_000

    @property
    def silent_us(self) -> int:
        """How long the engine has said nothing, if it ever did."""
        return (self.ticks_ns() - self.heard_ns) // 1000

    @property
    def why_stale(self) -> str:
        """In words, while `is_stale`."""
        return self.trouble or "the engine says nothing"


class Link(Protocol):
    """The way to the engine."""

    def ask(self, command: Command) -> Awaitable[Answer]:
        """Send a command, wait for its answer. Raises NoEngine when there is none in time."""
        ...
