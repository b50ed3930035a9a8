"""What is asked in the line of the history: a unit by one of its names, or what was done in a slot,
by a person, for a lot, in a shift: `slot:A3`. Pure.

A colon alone makes no question: labels of units may have one.
"""

from station.store.queries import Wanted
from station.store.scope import is_shift

_TAKES = "slot:A3, operator:maria, lot:PO-77, shift:last"
HINT = f"scan or type a unit's name, or {_TAKES}"


def unclear(text: str) -> str | None:
    """Why it cannot be asked, in words for who typed it; None: it can."""
    field, value = _parted(text)
    if field is None:
        return None
    if not value:
        return f"{field}: of which? Type it behind the colon, as in {_example(field)}."
    if field == "shift" and not is_shift(value):
        return "shift: takes `last`, or the id of a shift or its first 8 characters."
    return None


def wanted(text: str, station: str) -> Wanted:
    """The conditions on attempts: a unit's wherever they were made, others of this station."""
    match _parted(text):
        case "slot", value:
            return Wanted(station=station, slot=value)
        case "operator", value:
            return Wanted(station=station, operator=value)
        case "lot", value:
            return Wanted(station=station, lot=value)
        case "shift", value:
            return Wanted(station=station, shift=value)
        case _:
            return Wanted(name=text)


def missed(text: str) -> str:
    """What to do where nothing was found."""
    field, _ = _parted(text)
    if field is not None:
        return f"Nothing is recorded of {text} on this station."
    if ":" in text:
        return f"Nothing is recorded of {text}. Ask for a unit's whole name, or {_TAKES}."
    return f"Nothing is recorded of {text}. Names must be whole: scan the label again."


def _parted(text: str) -> tuple[str | None, str]:
    field, colon, value = text.partition(":")
    field = field.strip().lower()
    if colon and field in ("slot", "operator", "lot", "shift"):
        return field, value.strip()
    return None, text


def _example(field: str) -> str:
    return next(word for word in _TAKES.split(", ") if word.startswith(field))
