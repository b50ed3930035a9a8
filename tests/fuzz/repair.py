"""Makes right again what a parser looks at first: lengths, counts, checksums, magic, quotes, ends.
What else is wrong with a message stays as it is, and is what the parser shall meet."""

import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import zip_longest
from xml.sax.saxutils import quoteattr, unescape
from zipfile import ZIP_DEFLATED

from station.errors import SaharaError
from station.firmware.mibib import HEADER_MAGIC, TABLE_MAGIC, VERSION
from station.protocols import firehose_xml, hdlc, sahara
from tests.fuzz.mutate import Repair
from tests.fuzz.wire import IMAGE, P2K, SECTORS

_HEADER_BYTES = sahara.packets.HEADER_BYTES
_LENGTHS = {command: _HEADER_BYTES + body.size for command, body in sahara.packets._BODY.items()}

# --- Sahara -----------------------------------------------------------------------------------


def lengths(data: bytes) -> bytes:
    """Every header says the length that its command has; a last body is filled up."""
    packets = bytearray()
    at = 0
    while at + _HEADER_BYTES <= len(data):
        (number,) = struct.unpack_from("<I", data, at)
        if number not in _LENGTHS:
            packets += data[at : at + 1]
            at += 1
            continue
        length = _LENGTHS[sahara.Command(number)]
        packet = struct.pack("<II", number, length) + data[at + _HEADER_BYTES : at + length]
        packets += packet.ljust(length, b"\0")
        at += length
    return bytes(packets) + data[at:]


def loading(data: bytes) -> bytes:
    """What is read lies within our image, and it is read to its end."""
    packets: list[sahara.Packet] = []
    for packet in _sound_packets(lengths(data)):
        if isinstance(packet, sahara.ReadData):
            at = packet.offset_bytes % IMAGE.length_bytes
            length = packet.length_bytes % (IMAGE.length_bytes - at) + 1
            packet = sahara.ReadData(packet.image_id, at, length, packet.wide)
        packets.append(packet)
    if not any(isinstance(packet, sahara.EndImage) for packet in packets):
        packets.append(sahara.EndImage(13, 0))
    if not isinstance(packets[-1], sahara.DoneResponse):
        packets.append(sahara.DoneResponse(1))
    return b"".join(map(sahara.encode, packets))


def _sound_packets(data: bytes) -> Iterator[sahara.Packet]:
    at = 0
    while at + _HEADER_BYTES <= len(data):
        number, length = struct.unpack_from("<II", data, at)
        step = 1
        if number in _LENGTHS:
            with suppress(SaharaError):
                yield sahara.decode(data[at : at + length])
                step = length
        at += step


# --- XML --------------------------------------------------------------------------------------

_ELEMENT = re.compile(rb'<([A-Za-z_][\w.-]*)((?:\s*[\w.-]+\s*=\s*"[^"<>]*")*)[^<>]*>')
_ATTRIBUTE = re.compile(rb'([A-Za-z_][\w.-]*)\s*=\s*"([^"<>]*)"')
_ROOTS = (b"data", b"patches")
_DOCUMENT = re.compile(rb"<\?xm(?:(?!<\?xm).)*?(?:</data>|(?=<\?xm)|\Z)", re.DOTALL)
_BEGIN, _END = b'<?xml version="1.0" ?><data>', b"</data>"
_ACK = firehose_xml.compose_response(True, False)


def xml(root: str) -> Repair:
    """A file of elements, one to a line."""
    head, end = f"<{root}>\n".encode(), f"</{root}>".encode()
    return lambda data: head + b"".join(e + b"\n" for e in _elements(data)) + end


def documents(data: bytes) -> bytes:
    """Firehose: each document is one."""
    return _DOCUMENT.sub(lambda found: _BEGIN + b"".join(_elements(found[0])) + _END, data)


def answered(times: int) -> Repair:
    """And there are so many answers at least."""

    def repair(data: bytes) -> bytes:
        right = documents(data)
        return right + _ACK * (times - right.count(b"<response"))

    return repair


def data_read(data: bytes) -> bytes:
    """And what stands between the first and the last is as long as what was asked for."""
    right, length = documents(data), SECTORS * P2K.sector_size_bytes
    begin, end = right.find(_END) + len(_END), right.rfind(_BEGIN)
    if not len(_END) <= begin <= end:
        return right
    return right[:begin] + right[begin:end][:length].ljust(length, b"\xa5") + right[end:]


def _elements(data: bytes) -> Iterator[bytes]:
    """Each closes itself, its values are quoted; not the root."""
    for tag, inside in _ELEMENT.findall(data):
        if tag not in _ROOTS:
            named = dict(_ATTRIBUTE.findall(inside)).items()
            yield b" ".join([b"<" + tag, *(name + b"=" + _quoted(v) for name, v in named), b"/>"])


def _quoted(value: bytes) -> bytes:
    text = "".join(char if char.isprintable() else "?" for char in value.decode("latin-1"))
    return quoteattr(unescape(text)).encode("ascii", "xmlcharrefreplace")


# --- DIAG -------------------------------------------------------------------------------------


def checksums(data: bytes) -> bytes:
    """Every frame gets the checksum of what it holds."""
    *frames, rest = data.split(b"\x7e")
    return b"".join(hdlc.encode(frame[:-2]) for frame in frames) + rest


def one_frame(data: bytes) -> bytes:
    """The first one, without its flag."""
    frame = next(filter(None, data.split(b"\x7e")), b"\0\0\0")
    return hdlc.encode(frame[:-2] or frame)[:-1]


# --- AT ---------------------------------------------------------------------------------------

_LAST_ANSWERS = 8
_FINAL = (b"OK", b"ERROR", b"NO CARRIER")


def replies(data: bytes) -> bytes:
    """What was answered ends, and so does whatever else may be asked."""
    return data + b"\r\nOK\r\n" * _LAST_ANSWERS


def counted_replies(data: bytes) -> bytes:
    """And each line about the backup is an answer of its own."""
    lines = list(filter(None, re.split(rb"[\r\n]+", data)))
    told = bytearray()
    for line, after in zip_longest(lines, lines[1:], fillvalue=b""):
        told += b"\r\n" + line + b"\r\n"
        if line.startswith(b"+QPRTPARA") and not after.startswith(_FINAL):
            told += b"\r\nOK\r\n"
    return replies(bytes(told))


# --- packages ---------------------------------------------------------------------------------

_MD5_FRAME = ("VERSION:", "FILE:START", "FILE:END")
_NOT_HEX = re.compile("[^0-9A-Fa-f]")


def md5_lines(data: bytes) -> bytes:
    """Its frame, and the digits of each line."""
    lines = data.decode(errors="replace").split("\n")
    right = (_md5_line(line.strip()) for line in lines)
    named = [line for line in right if line and not line.startswith(_MD5_FRAME)]
    return "\r\n".join(["VERSION:1.0", "FILE:START", *named, "FILE:END", ""]).encode()


def _md5_line(line: str) -> str:
    path, colon, digits = line.removeprefix("FILE:").rpartition(":")
    if not colon or line.startswith(_MD5_FRAME):
        return line
    return f"FILE:{path}:{_NOT_HEX.sub('', digits)[:32].ljust(32, '0')}"


_PAGE_BYTES, _ENTRY_BYTES = 2048, 28
_TABLE_HEADER = struct.Struct("<8sII")


def partition_table(data: bytes) -> bytes:
    """Its magic numbers, and as many partitions as have names."""
    data = data.ljust(2 * _PAGE_BYTES, b"\xff")
    table = data[_PAGE_BYTES : 2 * _PAGE_BYTES]
    room = range(_TABLE_HEADER.size, _PAGE_BYTES - _ENTRY_BYTES, _ENTRY_BYTES)
    count = next((n for n, at in enumerate(room) if table[at : at + 2] != b"0:"), len(room))
    told = (
        _TABLE_HEADER.pack(TABLE_MAGIC, VERSION, count)
        + table[_TABLE_HEADER.size : room.start + count * _ENTRY_BYTES]
    )
    return (
        HEADER_MAGIC
        + data[len(HEADER_MAGIC) : _PAGE_BYTES]
        + told.ljust(_PAGE_BYTES, b"\xff")
        + data[2 * _PAGE_BYTES :]
    )


_LOCAL = struct.Struct("<4s5H3L2H")
_LOCAL_MAGIC, _ENTRY_MAGIC = b"PK\x03\x04", b"PK\x01\x02"
_UTF8 = 0x800
_DAWN = 1 << 5 | 1
_FILE = 0o100644 << 16


@dataclass(frozen=True, slots=True)
class Member:
    """Of a ZIP archive. `packed`: its content as it lies there."""

    name: bytes
    extra: bytes
    method: int
    packed: bytes
    content: bytes

    def header(self) -> bytes:
        """What local header and entry have alike, behind the version."""
        sizes = (zlib.crc32(self.content), len(self.packed), len(self.content))
        lengths = (len(self.name), len(self.extra))
        return struct.pack("<5H3L2H", 20, _UTF8, self.method, 0, _DAWN, *sizes, *lengths)


def archive(data: bytes) -> bytes:
    """What members are found get a directory, with sizes and checksums that are theirs."""
    files, entries = bytearray(), bytearray()
    found = list(members(data))
    for member in found:
        behind = struct.pack("<3H2L", 0, 0, 0, _FILE, len(files)) + member.name + member.extra
        entries += _ENTRY_MAGIC + struct.pack("<H", 20) + member.header() + behind
        files += _LOCAL_MAGIC + member.header() + member.name + member.extra + member.packed
    count = len(found)
    end = struct.pack("<4H2LH", 0, 0, count, count, len(entries), len(files), 0)
    return bytes(files + entries) + b"PK\x05\x06" + end


def members(data: bytes) -> Iterator[Member]:
    """As their own headers tell them, as far as they do."""
    directory = data.find(_ENTRY_MAGIC)
    starts = [found.start() for found in re.finditer(re.escape(_LOCAL_MAGIC), data)]
    ends = [*starts[1:], len(data) if directory < 0 else directory]
    for start, end in zip(starts, ends, strict=False):
        name_at = start + _LOCAL.size
        if name_at > end:
            continue
        told = _LOCAL.unpack_from(data, start)
        extra_at = name_at + told[9]
        content_at = extra_at + told[10]
        packed = data[content_at : min(content_at + told[7], end)]
        yield _member(data[name_at:extra_at], data[extra_at:content_at], told[3], packed)


def _member(name: bytes, extra: bytes, method: int, packed: bytes) -> Member:
    if method != ZIP_DEFLATED:
        return Member(name, extra, method, packed, packed)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        content = inflater.decompress(packed, 1 << 20)
    except zlib.error:
        return Member(name, extra, method, packed, packed)
    return Member(name, extra, method, packed[: len(packed) - len(inflater.unused_data)], content)
