"""No two slots work on the same unit."""

from dataclasses import dataclass, field

import trio

from station.errors import DuplicateUnit
from station.model import IdKind, Unit, imei_is_default, imei_is_valid

Name = tuple[IdKind, str]


@dataclass(slots=True)
class Claims:
    """Which slot a unit was seen in, by each of its names, until it is released."""

    _slot_of: dict[Name, str] = field(default_factory=dict)
    _elsewhere: dict[str, str] = field(default_factory=dict)
    freed: trio.Event = field(default_factory=trio.Event)
    """Set and replaced whenever a slot releases its unit."""

    def claim(self, slot: str, unit: Unit) -> None:
        """Take a unit's names for a slot. Raises DuplicateUnit if another slot has one."""
        for kind, value in _names(unit):
            holder = self._slot_of.get((kind, value), slot)
            if holder != slot:
                raise DuplicateUnit(
                    f"the {kind.value} {value} is in slot {holder} as well, or was taken out of it "
                    "before that slot had its verdict"
                )
        for name in _names(unit):
            self._slot_of[name] = slot

    def holder(self, slot: str, unit: Unit) -> str | None:
        """The other slot that has this unit; it is told where the unit was seen."""
        held = (self._slot_of.get(name, slot) for name in _names(unit))
        other = next((name for name in held if name != slot), None)
        if other is not None:
            self._elsewhere[other] = slot
        return other

    def seen_in(self, slot: str) -> str | None:
        """The other slot in which this slot's unit was seen since it was claimed."""
        return self._elsewhere.get(slot)

    def release(self, slot: str) -> None:
        """The slot's unit is out of it and may show up elsewhere."""
        self._slot_of = {name: held for name, held in self._slot_of.items() if held != slot}
        self._elsewhere.pop(slot, None)
        self.freed.set()
        self.freed = trio.Event()


def _names(unit: Unit) -> list[Name]:
    """An IMEI that is nobody's own tells no module from another."""
    imei = unit.imei
    if imei is not None and (imei_is_default(imei) or not imei_is_valid(imei)):
        imei = None
    names = (
        (IdKind.IMEI, imei),
        (IdKind.SERIAL, unit.serial),
        (IdKind.CHIP, unit.chip_serial),
    )
    return [(kind, value) for kind, value in names if value is not None]
