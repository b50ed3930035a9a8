"""What hosts and programmers say to each other, byte for byte."""

from station.protocols.firehose import Geometry
from tests.protocols.script import Module, Step

HEAD = b'<?xml version="1.0" encoding="UTF-8" ?>'
CUTS = (1, 7, 47, 1 << 14)
P2K = Geometry(sector_size_bytes=2048, pages_per_block=64)

ACK = HEAD + b'\n<data>\n<response value="ACK" rawmode="false" /></data>'
ACK_RAW = HEAD + b'\n<data>\n<response value="ACK" rawmode="true" /></data>'
NAK = HEAD + b'\n<data>\n<response value="NAK" rawmode="false" /></data>'
NAK_RETRY = HEAD + b'\n<data>\n<response value="NAK" rawmode="false" AttemptRetry="1" /></data>'
NOP = HEAD + b"<data><nop /></data>"


def log(text: bytes) -> bytes:
    return HEAD + b'\n<data>\n<log value="' + text + b'" /></data>'


def cut(data: bytes, size: int = 1 << 14) -> list[Step]:
    """The bytes as the module's transfers of so many bytes."""
    return [Module(data[i : i + size]) for i in range(0, len(data), size)]
