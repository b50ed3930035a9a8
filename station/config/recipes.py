"""Recipes: which units get which firmware, and the rules under which they get it.

A recipe is data; the procedure it names is code. Everything a procedure shares is in
`RecipeBase`; what differs by family is `firmware` and a few keys of its own. Another family
joins with a `Firmware` of its own (e.g. Sierra: CWE files, boot version, PRI, carrier), a
recipe class, and a line in `PROCEDURES`; `procedure` tells them apart.
"""

import os.path
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from station.config.strict import Strict, Text
from station.errors import VersionUnknown
from station.firmware.version import FirmwareVersion
from station.model import RecipeRef

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_GLOB = re.compile(r"[A-Z0-9._*?\[\]!-]{1,64}")
_TAC = re.compile(r"[0-9]{8}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def _name(text: str) -> str:
    if _NAME.fullmatch(text) is None:
        raise ValueError("a recipe name has 1 to 64 letters, digits, dots, - or _")
    return text


def _glob(text: str) -> str:
    if _GLOB.fullmatch(text) is None:
        raise ValueError("a pattern has capitals, digits, . - _ and * ? [ ], at most 64 of them")
    return text


def _tac(text: str) -> str:
    if _TAC.fullmatch(text) is None:
        raise ValueError("a TAC is the first 8 digits of the IMEI")
    return text


def _sha256(text: str) -> str:
    if _SHA256.fullmatch(text) is None:
        raise ValueError("a sha256 has 64 digits 0-9 a-f in lower case")
    return text


def _quectel_build(text: str) -> str:
    try:
        FirmwareVersion.parse(text)
    except VersionUnknown as error:
        raise ValueError(error.cause) from error
    return text


RecipeName = Annotated[str, AfterValidator(_name)]
Glob = Annotated[str, AfterValidator(_glob)]
Globs = Annotated[tuple[Glob, ...], Field(min_length=1, max_length=64)]
Tac = Annotated[str, AfterValidator(_tac)]
Seconds = Annotated[float, Field(gt=0, le=3600)]


class Match(Strict):
    """Which units a recipe is for: SKU globs and, if given, IMEI type allocation codes."""

    sku: Globs
    tac: Annotated[tuple[Tac, ...], Field(max_length=1000)] = ()


class Firmware(Strict):
    """What every family's firmware has: a package, its digest, the version it makes.

    `package` is a folder or archive, relative to the recipe file; where nothing lies there, a
    plain name or a sha256 may name a package in the store. `sha256` is the digest of the
    package's manifest; without it the recipe takes whatever lies at that path.
    """

    package: Text
    sha256: Annotated[str, AfterValidator(_sha256)] | None = None
    version: Text
    """What the module must report afterwards."""


class QuectelFirmware(Firmware):
    """A Quectel release: a folder or zip with rawprogram and images."""

    version: Annotated[str, AfterValidator(_quectel_build)]
    """What `AT+QGMR` must answer afterwards, sub-build included."""


class Limits(Strict):
    """Seconds each step may take."""

    backup: Seconds = 90.0
    enter_edl: Seconds = 30.0
    load_programmer: Seconds = 60.0
    configure: Seconds = 15.0
    partition_table: Seconds = 15.0
    dump: Seconds = 120.0
    erase: Seconds = 120.0
    program: Seconds = 600.0
    verify: Seconds = 600.0
    reset: Seconds = 20.0
    confirm: Seconds = 90.0


class RecipeBase(Strict):
    """What every procedure's recipe has."""

    name: RecipeName
    revision: Annotated[int, Field(ge=1, le=1_000_000)]
    procedure: str
    family: Text | None = None
    """The family of families.yaml that its modules are of; others are refused."""
    match: Match
    firmware: Firmware
    allow_from: Globs = ("*",)
    """Globs over the version the unit reports before."""
    run_before: RecipeName | None = None
    """The recipe to run first where `allow_from` refuses."""
    same_version: Literal["verify", "reflash", "skip"] = "verify"
    downgrade: Literal["refuse", "allow"] = "refuse"
    verify: Literal["readback", "version"] = "readback"
    limits: Limits = Limits()
    retries: Annotated[int, Field(ge=0, le=3)] = 1


class QuectelEdlRecipe(RecipeBase):
    procedure: Literal["quectel_edl"]
    firmware: QuectelFirmware
    allow_vendor_lines: bool = False
    backup: Annotated[tuple[Literal["module", "dump"], ...], Field(max_length=2)] = ()
    """What must be safe before anything is switched or erased. `module`: a copy that the module
    makes inside itself; `dump`: EFS2 as it was, read out into the evidence."""


Recipe = QuectelEdlRecipe
"""The union of all recipe classes, discriminated by `procedure`; further families join here."""

PROCEDURES: dict[str, type[Recipe]] = {"quectel_edl": QuectelEdlRecipe}


@dataclass(frozen=True, slots=True)
class LoadedRecipe:
    """A recipe, its identity for the record (digest and text of the file), where it lies."""

    recipe: Recipe
    ref: RecipeRef
    path: Path

    @property
    def package_path(self) -> Path:
        """`firmware.package` as an absolute path; it may not exist (see `Firmware`)."""
        here = self.path.absolute().parent
        return Path(os.path.normpath(here / self.recipe.firmware.package))
