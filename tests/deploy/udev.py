"""A strict reader of udev rules, as far as ours use them, and what they make of a device.

Ref: udev(7). udev itself skips what it does not understand; here it is an error.
"""

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

_TERM = re.compile(r'([A-Z]+)(?:\{([^}"]+)\})?(==|!=|=)"([^"]*)"')
_MATCHES = frozenset({"ACTION", "SUBSYSTEM", "ENV", "ATTR", "TEST"})
_ASSIGNS = frozenset({"GOTO", "LABEL", "MODE", "GROUP", "ENV", "ATTR", "IMPORT"})


@dataclass(frozen=True, slots=True)
class Term:
    key: str
    name: str | None
    operator: str
    value: str


Rule = tuple[Term, ...]


@dataclass(slots=True)
class Device:
    """A USB device in an event; `id_path` is what the builtin path_id would find."""

    attributes: dict[str, str]
    action: str = "add"
    devtype: str = "usb_device"
    id_path: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    mode: str | None = None
    group: str | None = None


def parse(text: str) -> tuple[Rule, ...]:
    """Raises ValueError naming the line."""
    rules = tuple(
        tuple(_term(part.strip(), number) for part in line.split(", "))
        for number, line in enumerate(text.splitlines(), 1)
        if line and not line.startswith("#")
    )
    labels = [term.value for rule in rules for term in rule if term.key == "LABEL"]
    for rule in rules:
        for term in rule:
            if term.key == "GOTO" and labels.count(term.value) != 1:
                raise ValueError(f"GOTO {term.value}: {labels.count(term.value)} such labels")
    return rules


def _term(text: str, number: int) -> Term:
    found = _TERM.fullmatch(text)
    if found is None:
        raise ValueError(f"line {number}: {text}")
    key, name, operator, value = found.groups()
    if key not in (_ASSIGNS if operator == "=" else _MATCHES):
        raise ValueError(f"line {number}: {key} does not go with {operator}")
    if (name is None) == (key in {"ENV", "ATTR", "IMPORT"}):
        raise ValueError(f"line {number}: {key} and its braces")
    return Term(key, name, operator, value)


def apply(rules: tuple[Rule, ...], device: Device) -> Device:
    """Carry the rules out on the device, in order."""
    target: str | None = None
    for rule in rules:
        if target is not None and not any(t.key == "LABEL" and t.value == target for t in rule):
            continue
        target = None
        if all(_fits(term, device) for term in rule if term.operator != "="):
            for term in rule:
                if term.operator == "=":
                    target = _assign(term, device) or target
    return device


def _fits(term: Term, device: Device) -> bool:
    match term.key:
        case "ACTION":
            actual = device.action
        case "SUBSYSTEM":
            actual = "usb"
        case "TEST":
            return term.value in device.attributes
        case "ENV":
            actual = {"DEVTYPE": device.devtype, **device.environment}.get(term.name or "", "")
        case _:
            actual = device.attributes.get(term.name or "", "")
    found = any(fnmatchcase(actual, pattern) for pattern in term.value.split("|"))
    return found is (term.operator == "==")


def _assign(term: Term, device: Device) -> str | None:
    """The label to go on at, if the term says so."""
    match term.key:
        case "GOTO":
            return term.value
        case "MODE":
            device.mode = term.value
        case "GROUP":
            device.group = term.value
        case "ENV":
            device.environment[term.name or ""] = term.value
        case "ATTR":
            device.attributes[term.name or ""] = term.value
        case "IMPORT":
            device.environment["ID_PATH"] = device.id_path
        case _:  # a label
            pass
    return None
