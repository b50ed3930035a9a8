"""The strict reader of Firehose commands, as the hand-written parser of a programmer is.

One XML declaration, `<data>`, one self-closing element with double-quoted attributes, `</data>`,
at most 4096 bytes, in one transfer. Ref: QFirehose firehose_protocol.c; fwupd fu-qc-firehose.
"""

import re
from collections.abc import Mapping

from station.errors import FirehoseError
from station.protocols import firehose_xml

MAX_DOCUMENT_BYTES = 4096
_NUMBER = re.compile(r"[0-9]{1,10}")
_DOCUMENT = re.compile(
    rb'<\?xml version="1\.0"(?: encoding="[\w-]+")?\s*\?>\s*'
    rb'<data>\s*(<\w+(?:\s+[\w.]+\s*=\s*"[^"<]*")*\s*/>)\s*</data>\s*',
    re.ASCII,
)


def read_command(document: bytes) -> tuple[firehose_xml.Element, bytes]:
    """The element and its own bytes. Raises FirehoseError naming the rule that was broken."""
    if len(document) > MAX_DOCUMENT_BYTES:
        raise FirehoseError(f"XML document of {len(document)} bytes, {MAX_DOCUMENT_BYTES} fit")
    match = _DOCUMENT.fullmatch(document)
    if match is None:
        raise FirehoseError(_complaint(document))
    return firehose_xml.parse(document.rstrip()), match[1]


def is_document(data: bytes) -> bool:
    """Whether this is a command, whole and well-formed."""
    if not data.startswith(b"<?xml"):
        return False
    try:
        read_command(data)
    except FirehoseError:
        return False
    return True


def number(attributes: Mapping[str, str], name: str) -> int:
    """A decimal attribute. Raises FirehoseError."""
    text = attributes.get(name)
    if text is None or not _NUMBER.fullmatch(text):
        raise FirehoseError(f"{name} is {text!r}, not a number")
    return int(text)


def _complaint(document: bytes) -> str:
    if not document.startswith(b"<?xml"):
        return f"bytes that are no XML document: {document[:16].hex(' ')}"
    if b"</data>" not in document:
        return "XML document not whole in one transfer"
    if document.count(b"</data>") > 1:
        return "more than one XML document in one transfer"
    if b"='" in document:
        return "attribute in single quotes"
    if document.count(b"</") > 1:
        return "element that does not close itself"
    return "XML document that is not one element with double-quoted attributes"
