import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.errors import PackageHostile, PackageIncomplete
from station.firmware.md5list import MAX_MD5_LIST_BYTES, parse_md5_list

SBL = "0123456789ABCDEF0123456789ABCDEF"
TZ = "FEDCBA9876543210FEDCBA9876543210"
REAL = (
    "VERSION:1.0\r\nFILE:START\r\n"
    f"FILE:\\update\\sbl1.mbn:{SBL}\r\n"
    f"FILE:\\update\\firehose\\prog_nand_firehose_9x07.mbn:{TZ}\r\n"
    "FILE:END\r\n"
).encode()


def listing(*lines: str) -> bytes:
    return "\r\n".join(["VERSION:1.0", "FILE:START", *lines, "FILE:END", ""]).encode()


def test_a_list_as_quectel_writes_it() -> None:
    assert dict(parse_md5_list(REAL)) == {
        "update/sbl1.mbn": "0123456789abcdef0123456789abcdef",
        "update/firehose/prog_nand_firehose_9x07.mbn": "fedcba9876543210fedcba9876543210",
    }


@pytest.mark.parametrize(
    "data",
    [
        REAL.replace(b"\r\n", b"\n"),
        b"\xef\xbb\xbf" + REAL,
        REAL.replace(b"\r\n", b"\r\n\r\n") + b"\n\n",
        REAL.replace(b"\\", b"/"),
        REAL.replace(b"FILE:\\", b"FILE:"),
        REAL.replace(SBL.encode(), SBL.lower().encode()),
    ],
    ids=["lf", "bom", "empty lines", "slashes", "no leading slash", "lower case"],
)
def test_variations_that_mean_the_same(data: bytes) -> None:
    assert parse_md5_list(data) == parse_md5_list(REAL)


def test_an_empty_list_lists_nothing() -> None:
    assert not parse_md5_list(listing())


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "line 1: '' is not VERSION:1."),
        (REAL.replace(b"1.0", b"2.0"), "'VERSION:2.0' is not VERSION:1."),
        (REAL.replace(b"FILE:START\r\n", b""), "is not FILE:START"),
        (REAL.replace(b"FILE:END\r\n", b""), "FILE:END is missing"),
        (REAL[:-40], "is not FILE:<path>"),
        (REAL + b"FILE:x", "line 6: 'FILE:x' after FILE:END"),
        (listing(f"FILE:\\a:{SBL[:16]}"), "line 3: .* is not FILE:<path>:<32 hex digits>"),
        (listing(f"FILE:\\a:{SBL}0"), "is not FILE:"),
        (listing(f"FILE:\\a:{SBL[:-1]}G"), "is not FILE:"),
        (listing("nonsense"), "line 3: 'nonsense'"),
        (listing(f"FILE:\\a:{SBL}", f"FILE:a:{TZ}"), "line 4: a is listed twice"),
        (REAL.replace(b"sbl1", b"\xff\xfe"), "not a text at byte 38"),
        (b"VERSION:1.0\n" + b"\n" * MAX_MD5_LIST_BYTES, "longer than"),
    ],
)
def test_a_list_that_is_damaged(data: bytes, cause: str) -> None:
    with pytest.raises(PackageIncomplete, match=cause):
        parse_md5_list(data)


@pytest.mark.parametrize(
    "path", [r"\..\sbl1.mbn", r"\update\..\..\x", r"\\server\x", r"\C:\x", "\\a\0b", "\\"]
)
def test_a_path_that_leaves_the_package_is_hostile(path: str) -> None:
    with pytest.raises(PackageHostile, match=r"^md5\.txt line 3: "):
        parse_md5_list(listing(f"FILE:{path}:{SBL}"))


NAMES = st.from_regex(re.compile(r"[a-zA-Z0-9_.-]*[a-zA-Z0-9_-]", re.ASCII), fullmatch=True)
PATHS = st.lists(NAMES.filter(lambda name: len(name) < 60), min_size=1, max_size=8)
MD5 = st.binary(min_size=16, max_size=16).map(bytes.hex)


@given(st.dictionaries(PATHS.map(tuple), MD5, max_size=20))
def test_what_is_listed_is_read(listed: dict[tuple[str, ...], str]) -> None:
    lines = [f"FILE:\\{chr(92).join(parts)}:{md5.upper()}" for parts, md5 in listed.items()]
    expected = {"/".join(parts): md5 for parts, md5 in listed.items()}
    try:
        assert dict(parse_md5_list(listing(*lines))) == expected
    except PackageHostile:
        assert any(len(path) > 512 for path in expected)


LINE = st.text(max_size=50) | st.sampled_from(
    ["FILE:END", "FILE:START", f"FILE:\\a:{SBL}", f"FILE:..:{SBL}", "FILE::", "\r", "VERSION:1.0"]
)


@given(st.lists(LINE, max_size=8).map(lambda lines: listing(*lines)) | st.binary(max_size=200))
def test_only_package_errors_escape(data: bytes) -> None:
    try:
        listed = parse_md5_list(data)
    except (PackageIncomplete, PackageHostile):
        return
    assert all(re.fullmatch("[0-9a-f]{32}", md5) for md5 in listed.values())
