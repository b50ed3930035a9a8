"""Which expected modules do not show themselves: a dead module must not hide as EMPTY.

With every module that arrives the roll is called anew: who is in then is there, and who should be
and is not says so once the others have booted. Taking out calls nobody. Pure; times are seconds
of any one clock.
"""

from collections.abc import Collection
from dataclasses import dataclass

BOOT_S = 20.0
"""A module that was powered with the others has enumerated by then."""


@dataclass(slots=True)
class RollCall:
    """`expect`: names of slots, or how many modules, wherever they are."""

    expect: frozenset[str] | int
    _occupied: frozenset[str] = frozenset()
    _there: frozenset[str] = frozenset()
    """Who was in at the latest arrival, or was taken out since; none between two trays."""
    _full_by_s: float = 0.0

    def note(self, occupied: Collection[str], now_s: float) -> None:
        """Who is in now, on USB or on its way through an attempt."""
        before, self._occupied = self._occupied, frozenset(occupied)
        if not self._occupied:
            self._there = frozenset()
        elif not self._occupied <= before:
            self._there = self._occupied
            self._full_by_s = now_s + BOOT_S

    def missing(self, empty: Collection[str], now_s: float) -> frozenset[str]:
        """Of these empty slots, those that should have shown a module by now."""
        if not self._there or now_s < self._full_by_s:
            return frozenset()
        dark = frozenset(empty) - self._there
        if isinstance(self.expect, int):
            return dark if len(self._there) < self.expect else frozenset()
        return dark & self.expect

    def look_again_s(self, now_s: float) -> float | None:
        """When patience ends; None if nothing is waited for."""
        return self._full_by_s if self._there and now_s < self._full_by_s else None
