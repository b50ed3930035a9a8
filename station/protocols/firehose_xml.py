"""Firehose documents: what programmer and host say to each other once Sahara is done.

    host   <?xml version="1.0" encoding="UTF-8" ?><data><erase start_sector="0" ... /></data>
    module <?xml ... ?><data><log value="INFO: ..." /></data>
    module <?xml ... ?><data><response value="ACK" rawmode="true" /></data>
    host   raw bytes, no framing, as many as the command announced

One document per command and per bulk transfer, one element per document. The parser of the
module is hand-written: self-closing tags, double quotes, at most 4096 bytes.

Ref: linux-msm/qdl firehose.c (BSD-3); fwupd fu-qc-firehose-impl.c; QFirehose
firehose_protocol.c; qualcomm/qdlrs (a document never fills its last packet).

Quirks seen: documents split over reads, glued in one read, raw bytes right behind the ACK that
announces them, several log elements in one document, stray binary bytes inside log lines.
"""

import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from station.errors import FirehoseError

HOST_DOCUMENT_BYTES = 4096
"""Longest document a module takes (MaxXMLSizeInBytes)."""

MODULE_DOCUMENT_BYTES = 64 * 1024
"""Longest document we take from a module."""

BUFFER_BYTES = 4 * MODULE_DOCUMENT_BYTES
JUNK_BYTES = 1024
"""Stray bytes tolerated before one document."""

_DECLARATION = b'<?xml version="1.0" encoding="UTF-8" ?>'
_BEGIN = b"<?xml"
_END = b"</data>"
_BLANK = b" \t\r\n\0"
_PACKET_BYTES = 512

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_NOT_A_VALUE = re.compile("[^\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Element:
    """One tag with its attributes, in the order of the document."""

    tag: str
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Log:
    """A line the module says; also any element that is neither log nor response."""

    text: str


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to a command. `raw`: what follows on the wire is data, not documents."""

    ack: bool
    raw: bool
    attributes: Mapping[str, str]


# --- writing ----------------------------------------------------------------------------------


def compose(
    tag: str, attributes: Mapping[str, str | int], *, limit_bytes: int = HOST_DOCUMENT_BYTES
) -> bytes:
    """A document of one element, attributes in the order given.

    Its length is never a multiple of 512, so no zero-length packet is ever due after it.
    Raises FirehoseError for a name or value that a document cannot carry.
    """
    words = [_named(tag)]
    words += [f'{_named(name)}="{_quoted(name, value)}"' for name, value in attributes.items()]
    return _document(f"<{' '.join(words)} />".encode(), limit_bytes)


def wrap(line: bytes) -> bytes:
    """A document around one element as a package wrote it, byte for byte.

    Re-ordering the attributes of a vendor line once erased whole modules, calibration
    included (fwupd#8382). Raises FirehoseError unless the line is exactly one element.
    """
    document = _document(line, HOST_DOCUMENT_BYTES)
    parse(document)
    return document


def compose_log(text: str) -> bytes:
    """Module side: one log line."""
    return compose("log", {"value": text}, limit_bytes=MODULE_DOCUMENT_BYTES)


def compose_response(
    ack: bool, raw: bool, attributes: Mapping[str, str | int] | None = None
) -> bytes:
    """Module side: the answer to a command."""
    answer = {"value": "ACK" if ack else "NAK", "rawmode": "true" if raw else "false"}
    return compose("response", answer | dict(attributes or {}), limit_bytes=MODULE_DOCUMENT_BYTES)


def _document(element: bytes, limit_bytes: int) -> bytes:
    document = _DECLARATION + b"<data>" + element + _END
    if len(document) % _PACKET_BYTES == 0:  # behind the end tag it could pass for raw data
        document = _DECLARATION + b"\n<data>" + element + _END
    if len(document) > limit_bytes:
        raise FirehoseError(f"a document of {len(document)} bytes; at most {limit_bytes} fit")
    return document


def _named(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise FirehoseError(f"{name[:40]!r} is not a name a document can carry")
    return name


def _quoted(name: str, value: str | int) -> str:
    text = str(value)
    if wrong := _NOT_A_VALUE.search(text):
        raise FirehoseError(f"{name} holds the character {wrong.group()!r}, which XML cannot carry")
    return escape(text, {'"': "&quot;"})


# --- reading ----------------------------------------------------------------------------------


def parse(document: bytes, *, limit_bytes: int = HOST_DOCUMENT_BYTES) -> Element:
    """The one element of a document, read as strictly as a module does.

    Raises FirehoseError: too long, not UTF-8, not well formed, a DTD or entity, an element that
    does not close itself, more or less than one element.
    """
    if len(document) > limit_bytes:
        raise FirehoseError(f"a document of {len(document)} bytes; at most {limit_bytes} allowed")
    try:
        text = document.decode()
    except UnicodeDecodeError as error:
        raise FirehoseError(f"a document is not UTF-8 at byte {error.start}") from None
    found = _elements(text)
    if len(found) != 1:
        raise FirehoseError(f"a document holds {len(found)} elements instead of one")
    if text.count("</") != 1:
        raise FirehoseError(f"the element {found[0].tag} does not close itself")
    return found[0]


def _elements(text: str) -> tuple[Element, ...]:
    """The children of `<data>`. Raises FirehoseError."""
    if not text.startswith("<?xml"):
        raise FirehoseError(f"a document does not begin with an XML declaration: {text[:40]!r}")
    try:
        root = fromstring(text, forbid_dtd=True)
    except DefusedXmlException:
        raise FirehoseError("a document declares a DTD or an entity, which is refused") from None
    except (ParseError, ValueError) as error:
        raise FirehoseError(f"a document is not well-formed XML: {error}: {text[:80]!r}") from None
    if root.tag != "data" or root.attrib:
        raise FirehoseError(f"a document begins with <{root.tag[:40]}> instead of <data>")
    children = tuple(root)
    if any(len(child) or (child.text or "").strip() for child in children):
        raise FirehoseError("a document nests elements or text where only attributes belong")
    if any((text or "").strip() for text in (root.text, *(child.tail for child in children))):
        raise FirehoseError("a document holds text between its elements")
    return tuple(Element(child.tag, dict(child.attrib)) for child in children)


class Framer:
    """Cuts what a module sends into logs, responses and raw bytes; owns every byte not yet used."""

    def __init__(self, leftover: bytes = b"") -> None:
        self._buffer = bytearray()
        self._ready: deque[Log | Response] = deque()
        self.feed(leftover)

    def feed(self, data: bytes) -> None:
        """Take one read, of any length. Raises FirehoseError when far too much has piled up."""
        if len(self._buffer) + len(data) > BUFFER_BYTES:
            raise FirehoseError(f"more than {BUFFER_BYTES} bytes came in without being asked for")
        self._buffer += data

    def next(self) -> Log | Response | None:
        """The next message, or None until more is fed. Raises FirehoseError.

        After a response with `raw`, take the data with `take_raw` before calling this again.
        """
        while not self._ready:
            self._skip_junk()
            if self._ready:
                break  # it comes first, whatever the document behind it turns out to be
            document = self._cut()
            if document is None:
                break
            self._ready.extend(_messages(document))
        return self._ready.popleft() if self._ready else None

    def take_raw(self, max_bytes: int) -> bytes:
        """Up to `max_bytes` that followed the last document."""
        raw = bytes(self._buffer[:max_bytes])
        del self._buffer[:max_bytes]
        return raw

    def _cut(self) -> str | None:
        """The next whole document as text, its unprintable bytes replaced."""
        end = self._buffer.find(_END)
        if (len(self._buffer) if end < 0 else end + len(_END)) > MODULE_DOCUMENT_BYTES:
            raise FirehoseError(f"a document of more than {MODULE_DOCUMENT_BYTES} bytes")
        if end < 0 or not self._buffer.startswith(_BEGIN):
            return None
        document = self.take_raw(end + len(_END))
        return _NOT_XML.sub("\ufffd", document.decode(errors="replace"))

    def _skip_junk(self) -> None:
        begin = self._buffer.find(_BEGIN)
        junk = bytes(self._buffer[: self._begun() if begin < 0 else begin])
        if len(junk) > JUNK_BYTES:
            raise FirehoseError(f"{len(junk)} bytes that are no document: {junk[:16].hex(' ')}")
        if begin > 0:
            del self._buffer[:begin]
            if junk.strip(_BLANK):
                self._ready.append(Log(f"{begin} stray bytes skipped: {junk[:16].hex(' ')}"))

    def _begun(self) -> int:
        """Where the next document may have begun, as far as it is there."""
        sizes = range(len(_BEGIN) - 1, -1, -1)
        begun = next(size for size in sizes if self._buffer.endswith(_BEGIN[:size]))
        return len(self._buffer) - begun


def _messages(document: str) -> Iterator[Log | Response]:
    try:
        elements = _elements(document)
    except FirehoseError:
        if "<response" in document or "<!" in document:
            raise
        yield Log(_printable(document))  # a badly quoted log line is no reason to lose a unit
        return
    for element in elements:
        match element.tag:
            case "log":
                yield Log(_printable(element.attributes.get("value", "")))
            case "response":
                yield _response(element.attributes)
            case _:
                shown = " ".join(f"{name}={value!r}" for name, value in element.attributes.items())
                yield Log(_printable(f"unknown element {element.tag} {shown}".rstrip()))


def _response(attributes: Mapping[str, str]) -> Response:
    value = attributes.get("value", "")
    if value.upper() not in ("ACK", "NAK"):
        raise FirehoseError(f"a response says {value[:40]!r}, neither ACK nor NAK")
    return Response(value.upper() == "ACK", attributes.get("rawmode") == "true", attributes)


def _printable(text: str) -> str:
    """No line breaks, no terminal controls: log lines end on screens and in records."""
    return "".join(char if char.isprintable() else " " for char in text).strip()
