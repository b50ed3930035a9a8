"""Who else sits on a hub while one of its ports is off, and whether they lost their power, too."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from station.model import DeviceInfo
from station.places import PortPath
from station.transport.base import Leaving

Place = tuple[PortPath, int]
"""Where a device is, and its generation."""


@dataclass(slots=True)
class Neighbours:
    """`before`: who was there with the power on. `is_leaving` None: nobody is at work, so whoever
    leaves was taken along.

    At work others leave by themselves, too. Those that were told to leave do not count; the rest
    were taken along when all of them are gone at once. A bad contact of the only one that counts
    looks the same: then the hub is accused, since power that is not cut harms nobody.
    """

    before: Mapping[Place, DeviceInfo]
    is_leaving: Leaving | None
    dragged: set[Place] = field(default_factory=set)
    """Who was taken along."""
    _gone: set[Place] = field(default_factory=set)
    _stays: set[Place] = field(init=False)
    """Those that count."""

    def __post_init__(self) -> None:
        self._stays = set(self.before)

    def look(self, now: Collection[Place]) -> None:
        """After each scan while the port is off. Whoever is gone is judged when that is first
        seen: its next step may not be one that makes it leave."""
        missing = self.before.keys() - now
        if self.is_leaving is None:
            self.dragged |= missing
            return
        for place in missing - self._gone:
            if self.is_leaving(self.before[place]):
                self._stays.discard(place)
        self._gone |= missing
        if self._stays and self._stays <= missing:
            self.dragged |= self._stays

    @property
    def are_spared(self) -> bool:
        """Somebody was there who had not been told to leave, and nobody was taken along."""
        return bool(self._stays) and not self.dragged

    @property
    def words(self) -> str:
        others = ", ".join(sorted(str(path) for path, _ in self.dragged))
        return f"what sits on {others} left together with it"
