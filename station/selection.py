"""Which recipe a unit gets, and whether it may and must be flashed. Pure decisions.

The guards run in this order, so that the operator is told the deepest reason first: identity,
variant, same version, start version, downgrade.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import Enum
from fnmatch import fnmatchcase
from typing import NamedTuple, assert_never

from station.config import Family, LoadedRecipe, nearest
from station.errors import (
    AmbiguousRecipe,
    ArrivedInTestMode,
    DefaultImei,
    DowngradeRefused,
    ForeignTac,
    FromVersionRefused,
    IdentityUnreadable,
    ImeiInvalid,
    LabelMismatch,
    NoRecipe,
    UsageError,
    VersionUnknown,
    WrongVariant,
)
from station.firmware.version import FirmwareVersion, Order, compare, same_hardware
from station.model import FACTORY_TEST_MODE, Unit, imei_is_default, imei_is_valid

LABEL_MIN, LABEL_MAX = 4, 64


class Decision(Enum):
    """What a unit needs: a flash, only a look at its version, or nothing at all."""

    FLASH = "flash"
    VERIFY_ONLY = "verify_only"
    SKIP = "skip"


# --- SKU --------------------------------------------------------------------------------------


def sku_of(unit: Unit, label: str | None) -> Unit:
    """The unit with its SKU: the label's if one was scanned or typed, else its variant.

    A label is kept trimmed and in capitals, source `operator`. It must agree with the module:
    with everything but letters and digits dropped, the label begins with the hardware variant
    of the build (`EC25-EFA-512-STD`, `EC25EFA`) or the variant begins with the label
    (`RM520N-GL`, `RM520NGLAA`), and the label has at least 4 characters left. A build that
    cannot be parsed cannot contradict a label; `decide` refuses it later.
    Without a label the variant is the SKU, source `firmware`; without both nothing changes.
    Raises LabelMismatch.
    """
    variant = _variant_of(unit)
    if label is not None and label.strip():
        return replace(unit, sku=_checked_label(label, variant), sku_source="operator")
    if variant is not None:
        return replace(unit, sku=variant, sku_source="firmware")
    return unit


def _variant_of(unit: Unit) -> str | None:
    try:
        return FirmwareVersion.parse(unit.firmware).variant if unit.firmware else None
    except VersionUnknown:
        return None


def _checked_label(label: str, variant: str | None) -> str:
    sku = label.strip().upper()
    if len(sku) > LABEL_MAX or not sku.isprintable():
        raise LabelMismatch(f"the label {sku[:LABEL_MAX]!r} is not a readable SKU")
    plain = "".join(char for char in sku if char.isascii() and char.isalnum())
    if len(plain) < LABEL_MIN:
        raise LabelMismatch(f"the label {sku!r} is too short to name a variant")
    if variant is not None and not plain.startswith(variant) and not variant.startswith(plain):
        raise LabelMismatch(f"the label says {sku}, the module says it is {variant}")
    return sku


# --- recipes ----------------------------------------------------------------------------------


class Explanation(NamedTuple):
    """Why a recipe is for a unit or is not: a reason for each rule it was held against."""

    recipe: str
    matched: bool
    reasons: tuple[str, ...]


def match_recipe(
    recipes: Sequence[LoadedRecipe], unit: Unit, only: str | None = None
) -> LoadedRecipe:
    """The one recipe for this unit. `only`: a recipe named by caller or slot; it must match too.

    Raises NoRecipe with the reasons of each recipe, AmbiguousRecipe naming all that match.
    """
    candidates = recipes if only is None else (recipe_named(recipes, only),)
    explained = explain_match(candidates, unit)
    fitting = [loaded for loaded, why in zip(candidates, explained, strict=True) if why.matched]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = ", ".join(loaded.recipe.name for loaded in fitting)
        raise AmbiguousRecipe(f"several recipes match {_described(unit)}: {names}")
    raise NoRecipe(f"no recipe matches {_described(unit)}: {_refusals(explained)}")


def recipe_named(recipes: Sequence[LoadedRecipe], name: str) -> LoadedRecipe:
    """The recipe of this name. Raises UsageError naming the nearest."""
    for loaded in recipes:
        if loaded.recipe.name == name:
            return loaded
    close = nearest(name, (loaded.recipe.name for loaded in recipes))
    raise UsageError(
        f"there is no recipe {name[:64]!r}" + (f" (nearest: {close!r})" if close else "")
    )


def explain_match(recipes: Iterable[LoadedRecipe], unit: Unit) -> list[Explanation]:
    """For each recipe whether it matches this unit, and why."""
    return [_explain(loaded, unit) for loaded in recipes]


def _explain(loaded: LoadedRecipe, unit: Unit) -> Explanation:
    match = loaded.recipe.match
    checks = (_check_sku(match.sku, unit.sku), _check_tac(match.tac, unit.tac))
    return Explanation(
        recipe=loaded.recipe.name,
        matched=all(good for good, _ in checks),
        reasons=tuple(reason for _, reason in checks),
    )


def _check_sku(globs: tuple[str, ...], sku: str | None) -> tuple[bool, str]:
    if sku is None:
        return False, "the SKU is not known"
    for glob in globs:
        if fnmatchcase(sku, glob):
            return True, f"SKU {sku} matches {glob}"
    return False, f"SKU {sku} matches none of {', '.join(globs)}"


def _check_tac(tacs: tuple[str, ...], tac: str | None) -> tuple[bool, str]:
    if not tacs:
        return True, "any TAC"
    if tac is None:
        return False, "the IMEI is not known, and the recipe asks for certain TACs"
    if tac in tacs:
        return True, f"TAC {tac} is listed"
    return False, f"TAC {tac} is not listed"


def _described(unit: Unit) -> str:
    return f"SKU {unit.sku or 'unknown'}, TAC {unit.tac or 'unknown'}"


SHOWN_REFUSALS = 8


def _refusals(explained: Sequence[Explanation]) -> str:
    if not explained:
        return "there are no recipes"
    said = [f"{why.recipe}: {'; '.join(why.reasons)}" for why in explained[:SHOWN_REFUSALS]]
    if len(explained) > SHOWN_REFUSALS:
        said.append(f"and {len(explained) - SHOWN_REFUSALS} more")
    return " | ".join(said)


# --- guards -----------------------------------------------------------------------------------


def decide(loaded: LoadedRecipe, unit: Unit) -> Decision:
    """What this recipe means for this unit. Raises the refusals D2xx and R3xx, deepest first."""
    check_unit(unit)
    check_variant(loaded, unit)
    before, after = _versions(loaded, unit)
    order = compare(before, after)
    if order is Order.SAME:
        return _same_version(loaded)
    check_from_version(loaded, unit)
    if loaded.recipe.downgrade == "refuse":
        _refuse_downgrade(loaded, before, order)
    return Decision.FLASH


def check_unit(unit: Unit) -> None:
    """Only a unit that says who it is, and is not broken already, is touched.

    Raises IdentityUnreadable, DefaultImei, ImeiInvalid, ArrivedInTestMode.
    """
    if unit.imei is None:
        raise IdentityUnreadable("the module does not tell its IMEI")
    if imei_is_default(unit.imei):
        raise DefaultImei(f"the module says its IMEI is {unit.imei}, which is nobody's own")
    if not imei_is_valid(unit.imei):
        raise ImeiInvalid(f"the module says its IMEI is {unit.imei[:32]!r}, which cannot be one")
    if unit.functionality is None:
        raise IdentityUnreadable("the module does not answer AT+CFUN?")
    if unit.functionality == FACTORY_TEST_MODE:
        raise ArrivedInTestMode("the module answers AT+CFUN? with 5, factory test mode")


def check_tac(recipes: Iterable[LoadedRecipe], unit: Unit) -> None:
    """Where every recipe for this SKU lists TACs, the unit's is among them. Raises ForeignTac."""
    matches = [loaded.recipe.match for loaded in recipes]
    own = [match for match in matches if _check_sku(match.sku, unit.sku)[0]]
    known = {tac for match in own for tac in match.tac}
    if own and all(match.tac for match in own) and unit.tac not in known:
        listed = ", ".join(sorted(known)[:SHOWN_REFUSALS])
        raise ForeignTac(
            f"TAC {unit.tac or 'unknown'} is none that the recipes for {unit.sku} list: {listed}"
        )


def check_variant(loaded: LoadedRecipe, unit: Unit) -> None:
    """The hardware the recipe's firmware is for must be the unit's: variant and memory.

    Raises WrongVariant; VersionUnknown or IdentityUnreadable if the unit does not tell.
    """
    before, after = _versions(loaded, unit)
    if not same_hardware(before, after):
        raise WrongVariant(
            f"the module is {before.hardware}, recipe {loaded.recipe.name} is for {after.hardware}"
        )


def check_family(loaded: LoadedRecipe, family: Family | None) -> None:
    """A recipe that names a family is for no other; in EDL none is told. Raises WrongVariant."""
    wanted = loaded.recipe.family
    if wanted is not None and family is not None and family.name != wanted:
        raise WrongVariant(
            f"the module is of family {family.name}, recipe {loaded.recipe.name} is for {wanted}"
        )


def check_label(loaded: LoadedRecipe, unit: Unit) -> None:
    """A recipe that was named must be one for the label. Raises LabelMismatch."""
    fits, reason = _check_sku(loaded.recipe.match.sku, unit.sku)
    if not fits:
        raise LabelMismatch(f"recipe {loaded.recipe.name} is not for this label: {reason}")


def check_from_version(loaded: LoadedRecipe, unit: Unit) -> None:
    """The version inside must be one the recipe starts from. Raises FromVersionRefused."""
    recipe = loaded.recipe
    version = unit.firmware or ""
    if any(fnmatchcase(version, glob) for glob in recipe.allow_from):
        return
    cause = (
        f"recipe {recipe.name} does not start from {version} "
        f"(it starts from {', '.join(recipe.allow_from)})"
    )
    if recipe.run_before is not None:
        cause += f"; run recipe {recipe.run_before} first"
    raise FromVersionRefused(cause)


def _versions(loaded: LoadedRecipe, unit: Unit) -> tuple[FirmwareVersion, FirmwareVersion]:
    """What is inside and what the recipe makes."""
    if not unit.firmware:
        raise IdentityUnreadable("the module does not tell its firmware version")
    before = FirmwareVersion.parse(unit.firmware)
    return before, FirmwareVersion.parse(loaded.recipe.firmware.version)


def _same_version(loaded: LoadedRecipe) -> Decision:
    match loaded.recipe.same_version:
        case "verify":
            return Decision.VERIFY_ONLY
        case "reflash":
            return Decision.FLASH
        case "skip":
            return Decision.SKIP
        case _ as never:
            assert_never(never)


def _refuse_downgrade(loaded: LoadedRecipe, before: FirmwareVersion, order: Order) -> None:
    """Where the order is unclear it might be a downgrade, and those are refused."""
    recipe = loaded.recipe
    if order is Order.NEWER:
        raise DowngradeRefused(
            f"the module has {before}, newer than {recipe.firmware.version} "
            f"of recipe {recipe.name}, which refuses downgrades"
        )
    if order is Order.UNCLEAR:
        raise VersionUnknown(
            f"nobody can tell which is newer, {before} in the module or "
            f"{recipe.firmware.version} of recipe {recipe.name}, which refuses downgrades"
        )
