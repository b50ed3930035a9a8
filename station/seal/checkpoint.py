"""What a station signs: its chain up to one link. Whoever holds one, outside the station's disk,
can tell whether the record that led to it was changed later, by whomever.

One line of JSON each; the signature is Ed25519 over the line without it, keys sorted, no spaces.
"""

import json
from dataclasses import asdict, dataclass, replace
from typing import Self

from station.errors import NoCheckpoint
from station.seal.keys import PrivateKey, is_signed

FORMAT = 1
MAX_LINE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`hash`, `public_key` and `signature` in hex digits; `reason`: `start`, `shift`, `rows` or
    `stop`."""

    station: str
    seq: int
    hash: str
    utc_us: int
    reason: str
    public_key: str
    signature: str = ""

    def signed(self, key: PrivateKey) -> Self:
        """With the signature of this key."""
        named = replace(self, public_key=key.public)
        return replace(named, signature=key.sign(named._told()).hex())

    def is_genuine(self) -> bool:
        """Whether its own public key says that it was signed so. Whose key that is, is another
        question."""
        return is_signed(self._told(), self.signature, self.public_key)

    def line(self) -> str:
        return json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True)

    def _told(self) -> bytes:
        told = {"format": FORMAT, **asdict(self)}
        del told["signature"]
        return json.dumps(told, sort_keys=True, separators=(",", ":")).encode("ascii")


def parse_line(line: str, place: str) -> Checkpoint:
    """Raises NoCheckpoint, naming the place."""
    if len(line) > MAX_LINE_BYTES:
        raise NoCheckpoint(f"{place} is longer than {MAX_LINE_BYTES} characters")
    try:
        told = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise NoCheckpoint(f"{place} is not JSON: {error}") from error
    if not isinstance(told, dict) or told.pop("format", None) != FORMAT:
        raise NoCheckpoint(f"{place} is no checkpoint of format {FORMAT}")
    wanted = {name: int if name in ("seq", "utc_us") else str for name in _FIELDS}
    if told.keys() != wanted.keys():
        raise NoCheckpoint(f"{place} has other fields than {', '.join(_FIELDS)}")
    for name, kind in wanted.items():
        if type(told[name]) is not kind:
            raise NoCheckpoint(f"{place}: {name} is no {kind.__name__}")
    return Checkpoint(**told)


_FIELDS = tuple(Checkpoint.__dataclass_fields__)
