"""The module, and the names it goes by."""

from dataclasses import dataclass
from enum import Enum


class IdKind(Enum):
    """The names a unit goes by. `CHIP` is the chip serial: eight hex digits, lower case."""

    IMEI = "imei"
    SERIAL = "serial"
    CHIP = "chip"
    LABEL = "label"


@dataclass(frozen=True, slots=True)
class Identifier:
    """One name of a unit and where it was read: `at`, `sahara`, `usb`, `operator`, `record`."""

    kind: IdKind
    value: str
    source: str


@dataclass(frozen=True, slots=True)
class Unit:
    """A module as far as it is known; partial is normal."""

    imei: str | None = None
    serial: str | None = None
    model: str | None = None
    sku: str | None = None
    sku_source: str | None = None
    chip_serial: str | None = None
    firmware: str | None = None
    """The full build the module reports, e.g. `EC25EFAR06A06M4G_01.002.01.002`."""
    functionality: int | None = None
    """`AT+CFUN?`: 1 full, 5 factory test mode."""

    @property
    def tac(self) -> str | None:
        """Type allocation code: the first eight digits of the IMEI (3GPP TS 23.003)."""
        return self.imei[:8] if self.imei else None


TEST_IMEIS = frozenset(
    {
        "004999010640000",  # what many modems report without their own
        "012345678901237",
        "123456789012347",
        "490154203237518",  # the example of books and pages
    }
)
"""Numbers that tools and examples write, and that no module has of its own."""


def imei_is_default(imei: str) -> bool:
    """No number of a module's own: all digits the same, or one that is in every book."""
    return imei in TEST_IMEIS or (len(imei) == 15 and len(set(imei)) == 1)


def imei_is_valid(imei: str) -> bool:
    """15 digits, not all zero, the last one the Luhn check digit (3GPP TS 23.003 annex B)."""
    if len(imei) != 15 or not imei.isascii() or not imei.isdigit() or not imei.strip("0"):
        return False
    doubled = (int(d) * (1 + i % 2) for i, d in enumerate(imei))
    return sum(d // 10 + d % 10 for d in doubled) % 10 == 0
