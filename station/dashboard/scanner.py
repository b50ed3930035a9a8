"""A barcode scanner is a keyboard in a hurry: told from a person by its pace. Pure.

A scan is three or more characters, less than 30 ms from one to the next, ended by Enter; six or
more without it are a scan that was torn. So every key waits until the next one is due, 30 ms at
most when it comes alone; then it goes on as the key that it was. Keys without a character, such
as the arrows, never wait.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

GAP_S = 0.030
MIN_LENGTH = 3
"""Characters before the Enter: no person types so many and Enter at this pace."""
MIN_TORN = 6
"""Without Enter; fewer may be keys that were hit together."""
MAX_LENGTH = 512
"""What comes faster and longer is no scan, and is not kept."""

REPEATS = 24
"""A key that is held down repeats as fast as a scanner types; no code begins with so many equal."""

ENTER = frozenset({"\r", "\n"})
_PREFIX = "~"
"""What scanners are told to send first, if anything, besides control characters."""

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Pressed(Generic[K]):
    """A person's key, to be acted on."""

    key: K


@dataclass(frozen=True, slots=True)
class Scan:
    """What was scanned, without prefix and line end; upper and lower case as they were."""

    text: str


@dataclass(frozen=True, slots=True)
class Torn:
    """Characters in a scanner's pace and no Enter: neither keys nor a scan. Scan again."""

    text: str


@dataclass(frozen=True, slots=True)
class _Held(Generic[K]):
    key: K
    char: str


class ScanFilter(Generic[K]):
    """Takes keys as they come, gives back each as a key or as part of a scan, never as both.

    `K` is whatever the caller means by a key. Call `tick` when `due_s` has come.
    """

    def __init__(self) -> None:
        self._held: list[_Held[K]] = []
        self._last_s = 0.0
        self._scan_ended_s: float | None = None

    @property
    def due_s(self) -> float | None:
        """When the keys that are held back will be given out, if nothing follows."""
        return self._last_s + GAP_S if self._held else None

    def feed(self, key: K, char: str, at_s: float) -> list[Pressed[K] | Scan | Torn]:
        """One key that was pressed at `at_s`, seconds on a monotonic clock.

        `char`: its character, `\\r` for Enter, empty for a key without one.
        """
        given = self.tick(at_s)
        ended_s, self._scan_ended_s = self._scan_ended_s, None
        if char in ENTER:
            if ended_s is not None and at_s - ended_s < GAP_S:
                return given  # the second half of the scanner's CR LF
            return given + self._enter(key, at_s)
        if not char:
            return [*given, *self._release(), Pressed(key)]
        if len(self._held) < MAX_LENGTH:
            self._held.append(_Held(key, char))
        self._last_s = at_s
        return given + (self._release() if self._is_repeat() else [])

    def tick(self, at_s: float) -> list[Pressed[K] | Scan | Torn]:
        """What has waited long enough by `at_s`."""
        due_s = self.due_s
        return self._release() if due_s is not None and at_s >= due_s else []

    def _enter(self, key: K, at_s: float) -> list[Pressed[K] | Scan | Torn]:
        text = cleaned(held.char for held in self._held)
        if len(self._held) < MIN_LENGTH or not text:
            return [*(Pressed(held.key) for held in self._take()), Pressed(key)]
        whole = len(self._held) < MAX_LENGTH
        self._take()
        self._scan_ended_s = at_s
        return [Scan(text) if whole else Torn(text)]

    def _release(self) -> list[Pressed[K] | Scan | Torn]:
        held = self._take()
        if len(held) >= MIN_TORN and len({each.char for each in held}) > 1:
            return [Torn(cleaned(each.char for each in held))]
        return [Pressed(each.key) for each in held]

    def _is_repeat(self) -> bool:
        return len(self._held) == REPEATS and len({each.char for each in self._held}) == 1

    def _take(self) -> list[_Held[K]]:
        held, self._held = self._held, []
        return held


def cleaned(chars: Iterable[str]) -> str:
    """The text without a scanner's prefix, control characters and outer blanks."""
    text = "".join(char for char in chars if char.isprintable())
    return text.lstrip(_PREFIX + " ").rstrip()
