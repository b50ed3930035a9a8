"""One entry of a transcript as one line of ASCII JSON.

    {"format": "station-transcript/1", "attempt": "0193…", "slot": "A1", …}     the first line
    {"t": 1500000, "k": "send", "text": "AT+CGSN\\r"}                            a message
    {"t": 1502113, "k": "receive", "hex": "010000003000…"}                      the same, binary
    {"t": 9000000, "k": "span", "name": "boot.mbn", "of_sha256": "9c56…", …}     payload, uncopied
    {"t": 9100000, "k": "step", "text": "program"}                              what it was part of

`t` is in microseconds since the attempt began. Programs may read this: names stay.
"""

import hashlib
import json
from collections.abc import Mapping

FORMAT = "station-transcript/1"

LITERAL_BYTES = 4096
"""Longer messages are payload: kept by length and digest."""
DOCUMENT_BYTES = 16384
"""Firehose documents, several glued in one read, are kept whole up to this."""
TEXT_CHARS = 2000

DOCUMENT, DOCUMENT_END = b"<?xm", b"</data>"
_PLAIN = frozenset((*range(0x20, 0x7F), *b"\t\r\n"))

Value = str | int


def encode(fields: Mapping[str, Value]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode("ascii") + b"\n"


def is_long(data: bytes) -> bool:
    """Too long for a message."""
    limit_bytes = DOCUMENT_BYTES if data.startswith(DOCUMENT) else LITERAL_BYTES
    return len(data) > limit_bytes


def message(data: bytes) -> dict[str, Value]:
    """The fields that hold a message: readable where it is text, else hex; payload by digest."""
    if is_long(data):
        return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    if _PLAIN.issuperset(data):
        return {"text": data.decode("ascii")}
    return {"hex": data.hex()}


def shortened(text: str) -> str:
    """Long text is cut, visibly."""
    if len(text) <= TEXT_CHARS:
        return text
    return f"{text[:TEXT_CHARS]}… ({len(text) - TEXT_CHARS} more characters)"
