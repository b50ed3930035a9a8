"""Settings, families and recipes as people write them: YAML in, frozen models out."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


# --- recipes ----------------------------------------------------------------------------------


class Match(Strict):
    """Which units a recipe is for: SKU globs and, if given, IMEI type allocation codes."""

    sku: tuple[str, ...]
    tac: tuple[str, ...] = ()


class QuectelFirmware(Strict):
    """A Quectel release: a folder or zip, the digest of its manifest, the version it makes."""

    package: str
    sha256: str | None = None
    version: str
    """What `AT+QGMR` must answer afterwards."""


class Limits(Strict):
    """Seconds each step may take."""

    identify: float = 30.0
    enter_edl: float = 30.0
    load_programmer: float = 30.0
    configure: float = 15.0
    partition_table: float = 15.0
    erase: float = 120.0
    program: float = 600.0
    verify: float = 600.0
    reset: float = 20.0
    confirm: float = 90.0


class RecipeBase(Strict):
    name: str
    revision: Annotated[int, Field(ge=1)]
    match: Match
    allow_from: tuple[str, ...] = ("*",)
    """Globs over the version the unit reports before."""
    run_before: str | None = None
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


Recipe = QuectelEdlRecipe
"""A union discriminated by `procedure`; further families join here."""
