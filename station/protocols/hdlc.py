"""HDLC-like framing of DIAG (also used by the streaming download protocols).

    payload  CRC-16 (little endian)  7E      7D and 7E inside are sent as 7D 5D and 7D 5E

The CRC is CRC-16/X.25: reflected polynomial 0x8408, start FFFF, final xor FFFF, over the payload
before escaping. Some modules also open a frame with 7E; the empty frame this makes is skipped.

Ref: ISO/IEC 13239; QFirehose qfirehose.c; fwupd fu-mm-qcdm-device.c.
"""

from station.errors import DiagError

FLAG = 0x7E
ESCAPE = 0x7D
FLIP = 0x20
MAX_FRAME_BYTES = 16384
"""Longest frame taken, escapes included; DIAG answers stay far below."""


def _table_entry(index: int) -> int:
    for _ in range(8):
        index = index >> 1 ^ (0x8408 if index & 1 else 0)
    return index


_TABLE = tuple(_table_entry(index) for index in range(256))


def crc16(data: bytes) -> int:
    """CRC-16/X.25 of the data."""
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFF


def encode(payload: bytes) -> bytes:
    """The frame of a payload: CRC added, escaped, closed with the flag."""
    frame = bytearray()
    for byte in payload + crc16(payload).to_bytes(2, "little"):
        if byte in (FLAG, ESCAPE):
            frame += bytes((ESCAPE, byte ^ FLIP))
        else:
            frame.append(byte)
    frame.append(FLAG)
    return bytes(frame)


def decode(frame: bytes) -> bytes:
    """The payload of one frame given without its closing flag. Raises DiagError."""
    data = bytearray()
    escaped = False
    for byte in frame:
        if byte == ESCAPE and not escaped:
            escaped = True
            continue
        data.append(byte ^ FLIP if escaped else byte)
        escaped = False
    if escaped:
        raise DiagError(f"DIAG frame of {len(frame)} bytes ends within an escape")
    if len(data) < 3:
        raise DiagError(f"DIAG frame of {len(data)} bytes is too short for a payload and its CRC")
    payload, wanted = bytes(data[:-2]), int.from_bytes(data[-2:], "little")
    if crc16(payload) != wanted:
        raise DiagError(
            f"DIAG frame of {len(data)} bytes has CRC {wanted:04x}, its data {crc16(payload):04x}"
        )
    return payload


class Framer:
    """Bytes in, payloads out. A bad frame is dropped and raised; the next one is read as usual."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def next(self) -> bytes | None:
        """The next whole payload, CRC checked; None until more is fed. Raises DiagError."""
        while True:
            end = self._buffer.find(FLAG)
            if end < 0:
                if len(self._buffer) <= MAX_FRAME_BYTES:
                    return None
                self._buffer.clear()
                raise DiagError(f"DIAG frame is longer than {MAX_FRAME_BYTES} bytes")
            frame = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            if len(frame) > MAX_FRAME_BYTES:
                raise DiagError(f"DIAG frame is longer than {MAX_FRAME_BYTES} bytes")
            if frame:
                return decode(frame)
