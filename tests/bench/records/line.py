"""A line of 32 slots over the years, as far as a number tells it: attempt 123456 is the same one in
every process that asks for it, without a look at those before.

A tray is flashed each 400 s, so a shift is 72 trays and a day has 6912 attempts. Three of a hundred
attempts fail. Five of a hundred are of a unit that was there before: mostly one that failed a while
ago, else any, as units that come back do. One unit in ten thousand has the IMEI of an earlier one.
"""

import hashlib
from dataclasses import dataclass

from station.errors import (
    Aborted,
    FactoryTestMode,
    GeometryMismatch,
    Nak,
    NoReturn,
    ProgrammerRejected,
    PulledOut,
    StationError,
    VerifyMismatch,
    WrongVersionAfter,
)
from station.model import FileRef, PackageRef, RecipeRef

STATION, SITE, SOFTWARE = "line-1", "plant-a", "0.1.0"
SLOTS = tuple(f"{row}{number}" for row in "ABCD" for number in range(1, 9))
TRAY = len(SLOTS)
TRAY_US = 400_000_000
DAY_US = 86_400_000_000
SHIFT_TRAYS = 72
BOOT_TRAYS = 21 * SHIFT_TRAYS
LOT = 2000
OPERATORS = ("maria", "jonas", "li", "amir", "eva", "tomasz")

_LAST_US = 1_780_000_000_000_000
"""When the last tray begins: in the spring of 2026."""

_CODES: tuple[tuple[int, int, StationError], ...] = (
    (30, 9, VerifyMismatch("update/rootfs.ubi: 3 of 812 pages differ")),
    (52, 11, NoReturn("it did not come back within 60 s")),
    (70, 8, Nak("programming update/rootfs.ubi: NAK")),
    (80, 4, ProgrammerRejected("Sahara ended with status 0x1d")),
    (88, 8, PulledOut("the module left its port")),
    (93, 11, WrongVersionAfter("it reports another version than the recipe's")),
    (96, 5, GeometryMismatch("4096 blocks, the package is for 2048")),
    (98, 11, FactoryTestMode("AT+CFUN? says 5")),
    (100, 7, Aborted("an operator stopped it")),
)
"""Of a hundred failures: up to which of them, after how many good steps, with what."""


def chance(number: int, what: str, out_of: int) -> int:
    """The same each time it is asked: 0 to out_of - 1."""
    drawn = hashlib.blake2b(f"{what} {number}".encode("ascii"), digest_size=8).digest()
    return int.from_bytes(drawn, "big") % out_of


def key(utc_us: int, number: int) -> str:
    """A UUIDv7 of this moment; another one for each number."""
    spread = (number * 0x9E37_79B9_7F4A_7C15) % (1 << 64)  # odd, so no two numbers are alike
    value = (utc_us // 1000) << 80 | 7 << 76 | (spread >> 62) << 64
    text = f"{value | 2 << 62 | spread % (1 << 62):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


@dataclass(frozen=True, slots=True)
class Module:
    """`number`: of the attempt in which it was seen first."""

    number: int
    unit_id: str
    imei: str
    serial: str
    chip_serial: str


@dataclass(frozen=True, slots=True)
class Line:
    """So many attempts. `images`: how many of a package are sent."""

    attempts: int
    images: int

    @property
    def trays(self) -> int:
        return -(-self.attempts // TRAY)

    def numbers(self, tray: int) -> range:
        """The attempts of a tray."""
        return range(tray * TRAY, min((tray + 1) * TRAY, self.attempts))

    def tray_us(self, tray: int) -> int:
        return _LAST_US - (self.trays - tray) * TRAY_US

    def began_us(self, number: int) -> int:
        tray, place = divmod(number, TRAY)
        return self.tray_us(tray) + place * 30_000

    def attempt_id(self, number: int) -> str:
        return key(self.began_us(number), number * 64)

    # --- what comes of it ---------------------------------------------------------------------

    @staticmethod
    def failure(number: int) -> tuple[int, StationError] | None:
        """After how many good steps, and what; None for an attempt that is good."""
        if chance(number, "fails", 100) >= 3:
            return None
        drawn = chance(number, "code", 100)
        return next((after, error) for until, after, error in _CODES if drawn < until)

    def module(self, number: int) -> Module:
        """The one that is flashed in this attempt."""
        while not self.is_new(number):
            number = self._before(number)
        twin = self.twin(number)
        return Module(
            number,
            key(self.began_us(number), number * 64 + 1),
            _imei(number) if twin is None else twin.imei,
            f"MPA{number // LOT % 10000:04}{number:08}",
            f"{chance(number, 'chip', 1 << 32):08x}",
        )

    def twin(self, number: int) -> Module | None:
        """The one whose IMEI this new module has, too."""
        if number < 4 * TRAY or chance(number, "has a twin", 10_000):
            return None
        return self.module(chance(number, "twin", number - TRAY))

    @staticmethod
    def is_new(number: int) -> bool:
        """Whether its module was not seen before."""
        return number < 4 * TRAY or chance(number, "again", 100) >= 5

    def _before(self, number: int) -> int:
        """An attempt on the module that comes again."""
        if chance(number, "of old", 100) < 40:
            return chance(number, "which", number - TRAY)
        earlier = range(number - 2 * TRAY, max(number - 40 * TRAY, 0), -1)
        return next((n for n in earlier if self.failure(n)), 0)

    # --- what is flashed ----------------------------------------------------------------------

    def package(self, number: int) -> PackageRef:
        """Six, one after the other."""
        return PACKAGES[6 * number // self.attempts]

    def firmware(self, number: int) -> str:
        """What the package leaves: four, one after the other."""
        return VERSIONS[4 * (6 * number // self.attempts) // 6]


VERSIONS = tuple(f"EC25EFAR06A{n:02}M4G_01.00{n}.01.00{n}" for n in (8, 10, 12, 14))
OLD_VERSIONS = tuple(f"EC25EFAR06A{n:02}M4G_01.00{n}.01.00{n}" for n in (2, 4, 6, 8))

FILES = (
    ("partition.mbn", 4096),
    ("tz.mbn", 377_490),
    ("appsboot.mbn", 377_490),
    ("boot.img", 5_774_870),
    ("NON-HLOS.ubi", 22_712_150),
    ("rootfs.ubi", 25_124_870),
    ("recovery.img", 5_774_870),
    ("recovery.ubi", 5_033_170),
    ("usrdata.ubi", 1_258_290),
    ("rpm.mbn", 188_750),
    ("sbl1.mbn", 251_650),
)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode("ascii")).hexdigest()


PACKAGES = tuple(
    PackageRef(
        f"EC25EFAR06A{8 + n:02}M4G",
        digest(f"package {n}"),
        tuple(FileRef(f"update/{name}", digest(f"{n} {name}"), size) for name, size in FILES),
    )
    for n in range(6)
)
RECIPES = {
    package.sha256: RecipeRef(
        f"ec25-{package.name.lower()}",
        n + 1,
        digest(f"recipe {n}"),
        f"name: ec25-{package.name.lower()}\nrevision: {n + 1}\n" + "# as agreed\n" * 20,
    )
    for n, package in enumerate(PACKAGES)
}
PLANS = {
    package.sha256: (digest(f"plan {n}"), '{"erase": [' + ", ".join(["1024"] * 800) + "]}")
    for n, package in enumerate(PACKAGES)
}


def _imei(number: int) -> str:
    """Valid: its last digit is the check digit; nine digits of it count."""
    digits = f"86{8680 + number // 100_000_000:04}{number % 100_000_000:08}"
    doubled = (int(d) * (1 + i % 2) for i, d in enumerate(digits))
    return digits + str(-sum(d // 10 + d % 10 for d in doubled) % 10)
