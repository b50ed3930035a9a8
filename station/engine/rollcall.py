"""Which expected modules do not show themselves: a dead module must not hide as EMPTY.

A tray is in from its first module until all slots are empty again. Who was seen once on this
tray is not missed when it is taken out. Pure; times are seconds of any one clock.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

BOOT_S = 20.0
"""A module that was powered with the others has enumerated by then."""


@dataclass(slots=True)
class RollCall:
    """`expect`: names of slots, or how many modules, wherever they are."""

    expect: frozenset[str] | int
    _seen: set[str] = field(default_factory=set)
    _full_by_s: float = 0.0

    def note(self, occupied: Collection[str], now_s: float) -> None:
        """Who is in now."""
        if not occupied:
            self._seen.clear()
        elif not self._seen.issuperset(occupied):
            self._seen.update(occupied)
            self._full_by_s = now_s + BOOT_S

    def missing(self, empty: Collection[str], now_s: float) -> frozenset[str]:
        """Of these empty slots, those that should have shown a module by now."""
        if not self._seen or now_s < self._full_by_s:
            return frozenset()
        unseen = frozenset(empty) - self._seen
        if isinstance(self.expect, int):
            return unseen if len(self._seen) < self.expect else frozenset()
        return unseen & self.expect

    def look_again_s(self, now_s: float) -> float | None:
        """When patience ends; None if nothing is waited for."""
        return self._full_by_s if self._seen and now_s < self._full_by_s else None
