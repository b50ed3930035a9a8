"""No two slots work on the same unit."""

from dataclasses import dataclass, field

from station.errors import DuplicateUnit
from station.model import IdKind, Unit


@dataclass(slots=True)
class Claims:
    """Which slot a unit was seen in, by each of its names, until it is released."""

    _slot_of: dict[tuple[IdKind, str], str] = field(default_factory=dict)

    def claim(self, slot: str, unit: Unit) -> None:
        """Take a unit's names for a slot. Raises DuplicateUnit if another slot has one."""
        names = [
            (kind, value)
            for kind, value in (
                (IdKind.IMEI, unit.imei),
                (IdKind.SERIAL, unit.serial),
                (IdKind.CHIP, unit.chip_serial),
            )
            if value is not None
        ]
        for kind, value in names:
            holder = self._slot_of.get((kind, value), slot)
            if holder != slot:
                raise DuplicateUnit(
                    f"the {kind.value} {value} is in slot {holder} as well, or was taken out of it "
                    "before that slot had its verdict"
                )
        for name in names:
            self._slot_of[name] = slot

    def release(self, slot: str) -> None:
        """The slot's unit is out of it and may show up elsewhere."""
        self._slot_of = {name: held for name, held in self._slot_of.items() if held != slot}
