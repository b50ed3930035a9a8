"""A transcript read back. Its digest was right, but digests do not make a file honest."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from station.errors import EvidenceDamaged
from station.evidence.lines import FORMAT, Value

MAX_ENTRIES = 200_000
_MAX_T_US = 1 << 53
_VALUE_CHARS = 64 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """`data`: a message as it was on the wire. `fields`: everything but time and kind."""

    t_us: int
    kind: str
    fields: Mapping[str, Value]
    data: bytes | None = None

    @property
    def text(self) -> str:
        return str(self.fields.get("text", ""))


@dataclass(frozen=True, slots=True)
class Read:
    header: Mapping[str, Value]
    entries: tuple[Entry, ...]


def read_transcript(data: bytes) -> Read:
    """Raises EvidenceDamaged, never anything else, naming the line."""
    lines = data.split(b"\n")
    if lines.pop():
        raise EvidenceDamaged("the transcript's last line is cut off")
    if not lines:
        raise EvidenceDamaged("the transcript is empty")
    if len(lines) > MAX_ENTRIES:
        raise EvidenceDamaged(f"the transcript has more than {MAX_ENTRIES} lines")
    header = _fields(lines[0], 1)
    if header.get("format") != FORMAT:
        shown = str(header.get("format"))[:40]
        raise EvidenceDamaged(f"the transcript's format is {shown!r}, known here is {FORMAT!r}")
    return Read(header, tuple(_entry(line, n) for n, line in enumerate(lines[1:], start=2)))


def _entry(line: bytes, number: int) -> Entry:
    fields = _fields(line, number)
    t_us, kind = fields.pop("t", None), fields.pop("k", None)
    if not isinstance(t_us, int) or not 0 <= t_us <= _MAX_T_US or not isinstance(kind, str):
        raise EvidenceDamaged(f"line {number} of the transcript has no time or no kind")
    is_message = kind in ("send", "receive")
    return Entry(t_us, kind, fields, _data(fields, number) if is_message else None)


def _fields(line: bytes, number: int) -> dict[str, Value]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        raise EvidenceDamaged(f"line {number} of the transcript is no JSON") from None
    if not isinstance(found, dict) or not all(map(_is_value, found.values())):
        raise EvidenceDamaged(f"line {number} of the transcript is no entry")
    return found


def _is_value(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= _VALUE_CHARS
    return type(value) is int and abs(value) <= _MAX_T_US


def _data(fields: Mapping[str, Value], number: int) -> bytes | None:
    """The message itself; None where only its digest was kept."""
    try:
        if "text" in fields:
            return str(fields["text"]).encode("ascii")
        return bytes.fromhex(str(fields["hex"])) if "hex" in fields else None
    except ValueError:
        raise EvidenceDamaged(f"line {number} of the transcript holds no message") from None
