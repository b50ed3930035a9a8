"""The build string a Quectel module reports, taken apart: hardware, release, order.

    EC25EFA R06 A06 M4G _ 01.002.01.002
    |       |   |   |     sub-build: custom edition and its revision, absent in `ATI`
    |       |   |   memory of the module (M4G = 4 Gbit)
    |       |   application
    |       release
    hardware variant: the model and the letters of its bands and region

Ref: answers of AT+QGMR and ATI of EC25, EG18, RM520N and EC200A modules.
Quirks seen: EC200A has no sub-build at all and writes `M16`; RM520NGLAA ends in letters that
belong to the variant, so the variant is everything before the first `Rnn Ann` that fits.
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Self

from station.errors import VersionUnknown, WrongVariant

MAX_LENGTH = 64

_BUILD = re.compile(
    r"(?P<variant>[A-Z][A-Z0-9]{1,23}?)"
    r"R(?P<release>[0-9]{2,3})A(?P<application>[0-9]{2,3})"
    r"(?P<memory>M[0-9]{1,3}[GM]?)?"
    r"(?:_(?P<sub>[0-9]{1,5}(?:\.[0-9]{1,5}){0,5}))?"
)
_MODEL = re.compile(r"[A-Z]+[0-9]*")


class Order(Enum):
    """How one version stands to another of the same hardware."""

    OLDER = "older"
    SAME = "same"
    NEWER = "newer"
    UNCLEAR = "unclear"
    """Release and application are equal and the sub-builds cannot be compared: one side has
    none, or they have different lengths and agree as far as the shorter one goes."""


@dataclass(frozen=True, slots=True)
class FirmwareVersion:
    """A parsed build. `text` is what the module said; `memory` is empty where it says none."""

    text: str
    variant: str
    release: int
    application: int
    memory: str
    sub_build: tuple[int, ...] | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """`EC25EFAR06A06M4G_01.002.01.002` taken apart. Raises VersionUnknown."""
        match = _BUILD.fullmatch(text) if len(text) <= MAX_LENGTH else None
        if match is None:
            raise VersionUnknown(
                f"{text[:MAX_LENGTH]!r} is not a Quectel build such as "
                "EC25EFAR06A06M4G_01.002.01.002"
            )
        sub = match["sub"]
        return cls(
            text=text,
            variant=match["variant"],
            release=int(match["release"]),
            application=int(match["application"]),
            memory=match["memory"] or "",
            sub_build=None if sub is None else tuple(int(part) for part in sub.split(".")),
        )

    @property
    def hardware(self) -> str:
        """Variant and memory: what a build must share with a module to be safe on it."""
        return f"{self.variant} {self.memory}".rstrip()

    @property
    def model(self) -> str:
        """The leading letters and digits: `EC25` of `EC25EFA`, `RM520` of `RM520NGLAA`."""
        match = _MODEL.match(self.variant)
        return match[0] if match else self.variant

    def __str__(self) -> str:
        return self.text


def same_hardware(a: FirmwareVersion, b: FirmwareVersion) -> bool:
    return a.hardware == b.hardware


def compare(version: FirmwareVersion, other: FirmwareVersion) -> Order:
    """Where `version` stands as seen from `other`: release, application, then sub-build.

    Raises WrongVariant across hardware: such versions have no order.
    """
    if not same_hardware(version, other):
        raise WrongVariant(
            f"{version} is for the hardware {version.hardware}, {other} for {other.hardware}"
        )
    mine = (version.release, version.application)
    theirs = (other.release, other.application)
    if mine != theirs:
        return _order(mine, theirs)
    return _order_sub_builds(version.sub_build, other.sub_build)


def _order_sub_builds(mine: tuple[int, ...] | None, theirs: tuple[int, ...] | None) -> Order:
    if mine == theirs:
        return Order.SAME
    if mine is None or theirs is None:
        return Order.UNCLEAR
    common = min(len(mine), len(theirs))
    if mine[:common] == theirs[:common]:
        return Order.UNCLEAR
    return _order(mine, theirs)


def _order(mine: tuple[int, ...], theirs: tuple[int, ...]) -> Order:
    """For two that differ."""
    return Order.OLDER if mine < theirs else Order.NEWER
