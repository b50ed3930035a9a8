r"""rawprogram and patch files: what a package wants erased and written, in the file's order.

    <data>
      <program PAGES_PER_BLOCK="64" SECTOR_SIZE_IN_BYTES="2048" filename="..\sbl1.mbn"
               num_partition_sectors="640" physical_partition_number="0" start_sector="0"/>
      <erase PAGES_PER_BLOCK="64" SECTOR_SIZE_IN_BYTES="2048"
             num_partition_sectors="640" physical_partition_number="0" start_sector="0"/>
    </data>

Reads, and decides nothing: the order of these files cannot be trusted, see `station.plan`.

Ref: quectel_eg25_recovery rawprogram_nand_p2K_b128K_update.xml; QFirehose V1.4.17;
qualcomm/qdlrs programfile.rs (an unknown tag stops it).

Quirks seen: Quectel's NAND files carry no label; boot loader and partition table are written at
the top and erased at the bottom; `SECTOR_SIZE_IN_BYTES="0"` in an erase (BG95) means "not this
one"; a program without filename is a place holder; lines with a `vendor` attribute must reach
the module byte for byte (written anew, one erased whole modules: fwupd#8382); start sectors may
be expressions on GPT media, never here; patches name files on the host, except `DISK`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax import SAXException
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl, Locator

from defusedxml.common import DefusedXmlException
from defusedxml.sax import make_parser

from station.errors import PackageHostile, RawprogramInvalid

MAX_FILE_BYTES = 1 << 20
MAX_COMMANDS = 256
MAX_NUMBER = 1 << 40

_NUMBER = re.compile("[0-9]{1,13}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command works, and what the package believes of the flash there."""

    start_sector: int
    num_sectors: int
    sector_size_bytes: int
    pages_per_block: int
    physical_partition_number: int


@dataclass(frozen=True, slots=True)
class Erase:
    place: Place
    line_number: int


@dataclass(frozen=True, slots=True)
class Program:
    """`filename` as written, backslashes and all; `place.num_sectors` as declared."""

    filename: str
    label: str
    place: Place
    line_number: int


@dataclass(frozen=True, slots=True)
class VendorLine:
    """A whole element with a `vendor` attribute: `raw` is its line as it stands in the file,
    without the line end."""

    raw: bytes
    line_number: int


Element = Erase | Program | VendorLine


@dataclass(frozen=True, slots=True)
class Rawprogram:
    elements: tuple[Element, ...]

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that is to be written, as named; a file may be written twice."""
        return tuple(e.filename for e in self.elements if isinstance(e, Program))


def parse_rawprogram(xml: bytes, name: str = "rawprogram") -> Rawprogram:
    """The commands of a NAND rawprogram; `name` is the file as errors should call it.

    Raises PackageHostile (DTD, entities, absurd size), RawprogramInvalid naming the line.
    """
    tags = _tags(xml, name, root="data")
    lines = xml.removeprefix(b"\xef\xbb\xbf").splitlines()
    found: list[Element] = []
    for tag in tags:
        element = _element(tag, lines, name)
        if element is not None:
            found.append(element)
    return Rawprogram(tuple(found))


def check_patch(xml: bytes, name: str = "patch") -> None:
    """A patch file with nothing for the module: its patches name files on the host.

    Raises PackageHostile, RawprogramInvalid (among others for a patch of `DISK`, which is for
    GPT media).
    """
    for tag in _tags(xml, name, root="patches"):
        if tag.name != "patch":
            raise RawprogramInvalid(f"{tag.where}: <{tag.name}> is unknown in a patch file")
        _refuse_disk_patch(tag)


# --- elements ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Tag:
    name: str
    attributes: Mapping[str, str]
    line_number: int
    file: str

    @property
    def where(self) -> str:
        return f"{self.file} line {self.line_number}"

    def text(self, name: str) -> str:
        if name not in self.attributes:
            raise RawprogramInvalid(f"{self.where}: <{self.name}> has no {name}")
        return self.attributes[name]

    def number(self, name: str) -> int:
        text = self.text(name)
        if not _NUMBER.fullmatch(text) or int(text) > MAX_NUMBER:
            raise RawprogramInvalid(
                f"{self.where}: {name} is {text[:40]!r}, wanted is a decimal number up to 2^40"
            )
        return int(text)


def _element(tag: _Tag, lines: Sequence[bytes], file: str) -> Element | None:
    """None for what is there but does nothing."""
    if any(name.casefold() == "vendor" for name in tag.attributes):
        return _vendor_line(tag, lines, file)
    match tag.name:
        case "erase":
            if tag.number("SECTOR_SIZE_IN_BYTES") == 0:
                return None
            return Erase(_place(tag), tag.line_number)
        case "program":
            return _program(tag)
        case "patch":
            _refuse_disk_patch(tag)
            return None
        case _:
            raise RawprogramInvalid(f"{tag.where}: <{tag.name[:40]}> is unknown")


def _program(tag: _Tag) -> Program | None:
    filename = tag.text("filename")
    if not filename:
        return None
    if tag.attributes.get("sparse", "false").strip().casefold() != "false":
        raise RawprogramInvalid(f"{tag.where}: {filename} is sparse, which NAND cannot be")
    if "file_sector_offset" in tag.attributes and tag.number("file_sector_offset") != 0:
        raise RawprogramInvalid(f"{tag.where}: only a part of {filename} is to be written")
    label = tag.attributes.get("label", "")
    return Program(filename, label, _place(tag), tag.line_number)


def _place(tag: _Tag) -> Place:
    return Place(
        start_sector=tag.number("start_sector"),
        num_sectors=tag.number("num_partition_sectors"),
        sector_size_bytes=tag.number("SECTOR_SIZE_IN_BYTES"),
        pages_per_block=tag.number("PAGES_PER_BLOCK"),
        physical_partition_number=tag.number("physical_partition_number"),
    )


def _refuse_disk_patch(tag: _Tag) -> None:
    if tag.text("filename") == "DISK":
        raise RawprogramInvalid(f"{tag.where}: patches the storage itself, which NAND cannot be")


def _vendor_line(tag: _Tag, lines: Sequence[bytes], file: str) -> VendorLine:
    """The line as it is, once it is certain that it holds this element and nothing else."""
    raw = lines[tag.line_number - 1] if tag.line_number <= len(lines) else b""
    try:
        alone = _tags(b"<data>" + raw + b"</data>", file, root="data")
    except (RawprogramInvalid, PackageHostile):
        alone = ()
    same = [(t.name, dict(t.attributes)) for t in alone] == [(tag.name, dict(tag.attributes))]
    text = raw.strip()
    if not (same and raw.isascii() and text.startswith(b"<" + tag.name.encode())):
        raise RawprogramInvalid(f"{tag.where}: a vendor element needs a line of its own")
    if not text.endswith(b"/>"):
        raise RawprogramInvalid(f"{tag.where}: a vendor element must close itself")
    return VendorLine(raw, tag.line_number)


# --- XML --------------------------------------------------------------------------------------


def _tags(xml: bytes, file: str, *, root: str) -> tuple[_Tag, ...]:
    """The elements below `root`, none of them holding others."""
    if len(xml) > MAX_FILE_BYTES:
        raise PackageHostile(f"{file} has {len(xml)} bytes; at most {MAX_FILE_BYTES} are read")
    try:
        # As text, so that no encoding named inside makes lines mean something else.
        text = xml.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RawprogramInvalid(f"{file} is not UTF-8 at byte {error.start}") from None
    parser = make_parser()
    parser.forbid_dtd = True
    collector = _Collector(file, root, parser)
    parser.setContentHandler(collector)
    try:
        parser.feed(text)
        parser.close()
    except DefusedXmlException:
        raise PackageHostile(f"{file} declares a DTD or an entity, which is refused") from None
    except (SAXException, ValueError) as error:
        raise RawprogramInvalid(f"{file} is not well-formed XML: {_reason(error)}") from None
    return tuple(collector.tags)


def _reason(error: Exception) -> str:
    line = getattr(error, "getLineNumber", lambda: None)()
    message = error.getMessage() if isinstance(error, SAXException) else str(error)
    return message if line is None else f"line {line}: {message}"


class _Collector(ContentHandler):
    def __init__(self, file: str, root: str, locator: Locator) -> None:
        super().__init__()
        self.tags: list[_Tag] = []
        self._file = file
        self._root = root
        self._locator = locator
        self._depth = 0

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802 - a name of SAX
        if self._depth == 0 and name != self._root:
            raise self._invalid(f"begins with <{name[:40]}>, not <{self._root}>")
        if self._depth > 1:
            raise self._invalid(f"<{name[:40]}> is inside another element")
        if self._depth == 1:
            if len(self.tags) == MAX_COMMANDS:
                raise self._invalid(f"more than {MAX_COMMANDS} commands")
            self.tags.append(_Tag(name, dict(attrs.items()), self._line(), self._file))
        self._depth += 1

    def endElement(self, name: str) -> None:  # noqa: N802, ARG002 - SAX's names
        self._depth -= 1

    def characters(self, content: str) -> None:
        if content.strip():
            raise self._invalid(f"text {content.strip()[:20]!r} where only elements belong")

    def _invalid(self, what: str) -> RawprogramInvalid:
        return RawprogramInvalid(f"{self._file} line {self._line()}: {what}")

    def _line(self) -> int:
        return self._locator.getLineNumber() or 0
