"""md5.txt, the packing list of a Quectel release.

    VERSION:1.0
    FILE:START
    FILE:\\update\\sbl1.mbn:0123456789ABCDEF0123456789ABCDEF
    FILE:END

Lines end in CRLF; paths start at the package root. Ref: md5.txt of a public EG25-G release;
QFirehose md5.c, which compares half of the digits and skips files that are not there: not here.
"""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from station.errors import PackageIncomplete
from station.firmware.paths import clean, shown

MD5_LIST = "md5.txt"
MAX_MD5_LIST_BYTES = 1 << 20

_LINE = re.compile(r"FILE:[\\/]?(?P<path>.+):(?P<md5>[0-9A-Fa-f]{32})")
_END = "FILE:END"


def parse_md5_list(data: bytes) -> Mapping[str, str]:
    """Package path -> md5 (32 lower-case hex digits), in the order of the list.

    Raises PackageIncomplete for a list that is cut off, garbled, or names a file twice, and
    PackageHostile for a path that leaves the package.
    """
    lines = _lines(data)
    _expect(lines, "VERSION:1.")
    _expect(lines, "FILE:START")
    listed: dict[str, str] = {}
    for number, line in lines:
        if line == _END:
            break
        path, md5 = _entry(number, line)
        if path in listed:
            raise PackageIncomplete(f"{MD5_LIST} line {number}: {path} is listed twice")
        listed[path] = md5
    else:
        raise PackageIncomplete(f"{MD5_LIST}: cut off, its last line {_END} is missing")
    for number, line in lines:
        raise PackageIncomplete(f"{MD5_LIST} line {number}: {shown(line)} after {_END}")
    return MappingProxyType(listed)


def _lines(data: bytes) -> Iterator[tuple[int, str]]:
    """Numbered lines without the empty ones."""
    if len(data) > MAX_MD5_LIST_BYTES:
        raise PackageIncomplete(f"{MD5_LIST}: longer than {MAX_MD5_LIST_BYTES} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PackageIncomplete(f"{MD5_LIST}: not a text at byte {error.start}") from error
    lines = (line.strip() for line in text.split("\n"))
    return ((number, line) for number, line in enumerate(lines, 1) if line)


def _expect(lines: Iterator[tuple[int, str]], start: str) -> None:
    number, line = next(lines, (1, ""))
    if not line.startswith(start):
        raise PackageIncomplete(f"{MD5_LIST} line {number}: {shown(line)} is not {start}…")


def _entry(number: int, line: str) -> tuple[str, str]:
    place = f"{MD5_LIST} line {number}"
    match = _LINE.fullmatch(line)
    if match is None:
        raise PackageIncomplete(f"{place}: {shown(line)} is not FILE:<path>:<32 hex digits>")
    return clean(match["path"], place), match["md5"].lower()
