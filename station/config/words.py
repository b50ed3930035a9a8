"""Unquoted words in YAML: what they stand for, and where readers of YAML disagree.

`012`, `no`, `12:30`, `1e3`, `2026-01-02` are a number, a truth value or a date to one reader
and text to another (YAML 1.1 against 1.2). Such a word becomes `Ambiguous`, which no field
accepts, and the error shows how to quote it.
"""

import re
from dataclasses import dataclass

MAX_TRAP_LENGTH = 64
"""Unquoted words longer than this are text to everybody; also keeps the patterns fast."""


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """An unquoted word that YAML readers disagree about, and what some of them take it for."""

    text: str
    meaning: str


def shorten(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]{0,15})\.[0-9]{1,15}")
_TRAPS = (
    (re.compile(r"(?i:yes|on|y)"), "a truth value (true)"),
    (re.compile(r"(?i:no|off|n)"), "a truth value (false)"),
    (re.compile(r"[-+]?0[0-9_]+"), "a number with a leading zero, octal to some readers"),
    (re.compile(r"[-+]?0[xX][0-9a-fA-F_]+"), "a hexadecimal number"),
    (re.compile(r"[-+]?0[oObB][0-9_]+"), "an octal or binary number"),
    (re.compile(r"[-+]?[0-9][0-9_]*(:[0-9]+)+(\.[0-9_]*)?"), "a time or a number to base 60"),
    (re.compile(r"[-+]?([0-9][0-9_]*\.?[0-9_]*|\.[0-9_]+)[eE][-+]?[0-9]+"), "an exponent number"),
    (re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?"), "a date"),
    (re.compile(r"[-+]?\.(?i:inf|nan)"), "infinity or not a number"),
    (re.compile(r"[-+]?([0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)"), "a number"),
)


def plain_value(text: str) -> str | int | float | bool | Ambiguous | None:
    """What an unquoted word stands for; only readings that all YAML readers share are taken."""
    if len(text) > MAX_TRAP_LENGTH:
        return text
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE"):
        return True
    if text in ("false", "False", "FALSE"):
        return False
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return float(text)
    for pattern, meaning in _TRAPS:
        if pattern.fullmatch(text):
            return Ambiguous(text, meaning)
    return text


def explain_plain(text: str) -> str:
    """`unquoted no is read as a truth value (false); write it in quotes: "no"`."""
    match plain_value(text):
        case Ambiguous(_, meaning):
            said = meaning
        case bool(value):
            said = f"a truth value ({str(value).lower()})"
        case None:
            said = "no value at all"
        case _:
            said = "a number"
    return f"unquoted {shorten(text)} is read as {said}; write it in quotes: {quoted(text)}"


def quoted(text: str) -> str:
    return f'"{shorten(text)}"'
