"""What a person enters to arm the line, read strictly. Pure."""

import re
from typing import Literal

from station.errors import UsageError
from station.wire import Arm, RecipeChoice

MAX_TARGET = 10_000_000
MAX_SLOTS = 256
MAX_NAME = 64
SKU_FIELD = "SKU on label"
"""As it is printed on the modules; others are refused."""
_MAX_SLOT_NAME = 16

Expected = tuple[str, ...] | int | Literal["all", "none"] | None


def arm_of(
    recipes: tuple[RecipeChoice, ...],
    operator: str,
    label: str,
    lot: str,
    target: str,
    expect: str,
) -> Arm:
    """The command. Raises UsageError naming the field and what may stand there."""
    if not recipes:
        raise UsageError("recipes: choose at least one (Space)")
    if not operator.strip():
        raise UsageError("operator: scan the badge or type a name")
    return Arm(
        recipes=recipes,
        operator=_name("operator", operator),
        label=_name(SKU_FIELD, label) if label.strip() else None,
        lot=_name("lot", lot) if lot.strip() else None,
        target=_target(target.strip()),
        expect=_expect(expect.strip()),
    )


def _name(field: str, text: str) -> str:
    text = text.strip()
    if len(text) > MAX_NAME or not text.isprintable():
        raise UsageError(f"{field}: at most {MAX_NAME} letters and digits")
    return text


def _number(text: str) -> int | None:
    return int(text[:12]) if re.fullmatch(r"[0-9]+", text) else None


def _target(text: str) -> int | None:
    if not text:
        return None
    number = _number(text)
    if number is None or not 1 <= number <= MAX_TARGET:
        raise UsageError("target: how many good units, such as 100; empty for no target")
    return number


def _expect(text: str) -> Expected:
    if not text:
        return None
    if text.lower() == "all":
        return "all"
    if text.lower() == "none":
        return "none"
    number = _number(text)
    if number is not None and 1 <= number <= MAX_SLOTS:
        return number
    slots = tuple(re.split(r"[,\s]+", text.strip(",; ")))
    if number is not None or len(slots) > MAX_SLOTS or not all(map(_is_slot_name, slots)):
        raise UsageError(
            f"modules: all, none, a number from 1 to {MAX_SLOTS}, or slots such as A1 A2; "
            "empty: as in the settings"
        )
    return slots


def _is_slot_name(text: str) -> bool:
    return 1 <= len(text) <= _MAX_SLOT_NAME and text.isprintable()
