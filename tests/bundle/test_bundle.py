"""A bundle proves itself; whatever is changed in it is found, and the first of it named."""

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from station.bundle import checking, framing
from station.bundle.checking import check_bundle
from station.bundle.manifest import LINES, MANIFEST, MEMBERS, SIGNATURE, TABLE, Signature
from station.bundle.writing import Told, write_bundle
from station.errors import BadBundle, DiskTrouble, HistoryTrouble
from tests.bundle.bundles import (
    COLUMNS,
    KEY,
    about,
    bundle,
    contents,
    edited,
    forged,
    lines,
    packed,
    signed,
    told,
)
from tests.store.samples import a_key

TRUSTED = frozenset({KEY.public})


@pytest.fixture
def made(tmp_path: Path) -> Path:
    return bundle(tmp_path / "made.zip")


def refused(path: Path, why: str, trusted: frozenset[str] = TRUSTED) -> None:
    with pytest.raises(BadBundle, match=why):
        check_bundle(path, trusted)


# --- as made ----------------------------------------------------------------------------------


def test_it_is_as_it_was_made(made: Path) -> None:
    found = check_bundle(made, TRUSTED)
    assert (found.manifest.attempts, found.manifest.open) == (4, 1)
    assert found.public_key == KEY.public
    assert check_bundle(made) == found
    assert tuple(contents(made)) == MEMBERS
    assert made.stat().st_mode & 0o777 == 0o644


def test_equal_content_is_equal_bytes(made: Path, tmp_path: Path) -> None:
    assert bundle(tmp_path / "again.zip").read_bytes() == made.read_bytes()


def test_an_empty_answer_is_one(tmp_path: Path) -> None:
    write_bundle(tmp_path / "none.zip", COLUMNS, iter(()), about, KEY)
    assert check_bundle(tmp_path / "none.zip", TRUSTED).manifest.attempts == 0


def test_no_file_is_replaced(made: Path) -> None:
    before = made.read_bytes()
    with pytest.raises(DiskTrouble, match="there already"):
        bundle(made)
    assert made.read_bytes() == before
    assert [p.name for p in made.parent.iterdir()] == ["made.zip"]


def test_an_answer_that_breaks_off_leaves_no_file(tmp_path: Path) -> None:
    def attempts() -> Iterator[Told]:
        yield told(1)
        raise HistoryTrouble("the disk reports an error")

    with pytest.raises(HistoryTrouble):
        write_bundle(tmp_path / "half.zip", COLUMNS, attempts(), about, KEY)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DiskTrouble, match="No such file"):
        bundle(tmp_path / "nowhere" / "made.zip")


# --- changed ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "was", "why"),
    [
        (LINES, b"864266050000011", "attempts.jsonl is not the file that was signed"),
        (TABLE, b"lines", "attempts.csv is not the file that was signed"),
        (MANIFEST, b"graz", "not the signature of manifest.json"),
    ],
)
def test_a_word_that_was_changed(made: Path, name: str, was: bytes, why: str) -> None:
    other = edited(made, name, lambda content: content.replace(was, was[::-1], 1))
    refused(other, why)


def test_what_was_added_or_taken_away(made: Path) -> None:
    more = edited(made, LINES, lambda content: content + told(9).line.encode() + b"\n")
    refused(more, "attempts.jsonl has more than its")
    less = edited(made, TABLE, lambda content: content[:-1])
    refused(less, "attempts.csv has fewer than its")


def test_a_signature_of_somebody_else(made: Path, tmp_path: Path) -> None:
    other = a_key()
    theirs = bundle(tmp_path / "theirs.zip", key=other)
    refused(theirs, f"signed with another key: {other.public}")
    assert check_bundle(theirs).public_key == other.public
    members = contents(made)
    members[SIGNATURE] = (
        Signature.of(members[MANIFEST], other)
        .to_bytes()
        .replace(other.public.encode(), KEY.public.encode())
    )
    refused(packed(tmp_path / "mixed.zip", members), "not the signature")


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_no_byte_of_what_was_told_can_be_changed(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    path = bundle(folder / "made.zip")
    name = data.draw(st.sampled_from(MEMBERS[:3]))
    at = data.draw(st.integers(0, len(contents(path)[name]) - 1))
    bit = 1 << data.draw(st.integers(0, 7))

    def flip(content: bytes) -> bytes:
        return content[:at] + bytes([content[at] ^ bit]) + content[at + 1 :]

    with pytest.raises(BadBundle):
        check_bundle(edited(path, name, flip))


# --- signed, and yet not whole ----------------------------------------------------------------


def _swapped(members: dict[str, bytes]) -> None:
    first, second, *rest = lines(members)
    members[LINES] = b"".join([second, first, *rest])


def _twice(members: dict[str, bytes]) -> None:
    first, _, *rest = lines(members)
    members[LINES] = b"".join([first, first, *rest])


def _gone(members: dict[str, bytes]) -> None:
    members[LINES] = b"".join(lines(members)[:-1])


def _ended(members: dict[str, bytes]) -> None:
    members[LINES] = members[LINES].replace(b'"outcome": null', b'"outcome": "PASS"')


def _set(name: str, content: bytes) -> Callable[[dict[str, bytes]], None]:
    def edit(members: dict[str, bytes]) -> None:
        members[name] = content

    return edit


def _first(line: bytes) -> Callable[[dict[str, bytes]], None]:
    def edit(members: dict[str, bytes]) -> None:
        members[LINES] = b"".join([line, *lines(members)[1:]])

    return edit


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (_swapped, "row 1 is not the one of"),
        (_twice, "line 2: .* is out of order"),
        (_gone, "has more rows than"),
        (_ended, "0 of them open; manifest.json says 4 and 1"),
        (_first(b"{}\n"), "line 1 is no whole attempt: attempt_id is missing"),
        (_first(b"[]\n"), "line 1 is no whole attempt"),
        (_first(b"nonsense\n"), "line 1 is not JSON"),
        (_first(b"[" * 100_000 + b"\n"), "line 1 is not JSON"),
        (_first(b"9" * 5000 + b"\n"), "line 1 is not JSON"),
        (_first(told(0, attempt_id=5).line.encode() + b"\n"), "its attempt_id is none"),
        (_set(LINES, b'{"attempt_id"'), "line 1 is cut off"),
        (_set(TABLE, b""), "no header that begins with attempt_id"),
        (_set(TABLE, b"attempt_id\n" + b"x,y\n"), "is not whole"),
        (_set(TABLE, b'attempt_id\n"x\n'), "no table"),
        (_set(TABLE, b"attempt_id\n\xff\n"), "no table"),
    ],
)
def test_a_signature_makes_nothing_whole(
    made: Path, edit: Callable[[dict[str, bytes]], None], why: str
) -> None:
    refused(forged(made, edit), why)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"format": 2}, "manifest.json: format"),
        ({"more": 1}, "manifest.json: more"),
        ({"station": None}, "manifest.json: station"),
        ({"attempts": 5}, "4 rows of 5 in attempts.jsonl"),
        ({"attempts": -1}, "manifest.json: attempts"),
        ({"utc_us": 1.5}, "manifest.json: utc_us"),
        ({"files": []}, "manifest.json: files"),
        ({"heads": [{"station": "line-1", "seq": 7, "hash": "x"}]}, "heads.0.hash"),
        (
            {
                "checkpoints": [
                    {
                        "station": "line-1",
                        "seq": 6,
                        "hash": "ab" * 32,
                        "utc_us": 1,
                        "reason": "rows",
                        "public_key": "ab" * 32,
                        "signature": "ab" * 64,
                    }
                ]
            },
            "checkpoint of link 6 is not genuine",
        ),
    ],
)
def test_a_manifest_that_cannot_be(made: Path, change: dict[str, object], why: str) -> None:
    members = contents(made)
    manifest = json.loads(members[MANIFEST]) | change
    refused(signed(made.with_name("odd.zip"), members, manifest), why)


def test_rows_without_end(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "MAX_LINE_BYTES", 1000)
    refused(forged(made, _first(b" " * 2000 + b"\n")), "longer than 1000 bytes")
    endless = b'attempt_id\n"' + b"x\n" * 1000
    refused(forged(made, _set(TABLE, endless)), "a row of more than 1000 bytes")


# --- bytes that nobody reads ------------------------------------------------------------------


def _between(raw: bytes) -> bytes:
    """In front of the second member; the offsets behind it are moved along."""
    second, start = raw.index(b"PK\x03\x04", 4), raw.index(b"PK\x01\x02")
    moved = bytearray(raw[:second] + b"junk" + raw[second:])
    entry = start + 4
    for number in range(4):
        if number:
            _add(moved, entry + 42, 4)
        entry = moved.find(b"PK\x01\x02", entry + 4)
    _add(moved, moved.rindex(b"PK\x05\x06") + 16, 4)
    return bytes(moved)


def _behind_packed(raw: bytes) -> bytes:
    """In the first member, behind the end of its packed content."""
    second, start = raw.index(b"PK\x03\x04", 4), raw.index(b"PK\x01\x02")
    moved = bytearray(_between(raw))
    _add(moved, 30 + len(LINES) + 12, 4)  # its size of 64 bits
    _add(moved, start + 4 + 20, 4)  # and the directory's
    if moved[18:22] != b"\xff" * 4:
        _add(moved, 18, 4)
    assert moved[second : second + 4] == b"junk"
    return bytes(moved)


def _add(raw: bytearray, at: int, more: int) -> None:
    raw[at : at + 4] = (int.from_bytes(raw[at : at + 4], "little") + more).to_bytes(4, "little")


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (lambda raw: b"MZ junk" + raw, "from byte 0 on, the header of attempts.jsonl is not as"),
        (lambda raw: raw + b"junk", "there are bytes behind the archive|no sound ZIP"),
        (
            lambda raw: raw[:-2] + b"\x04\x00junk",
            "the end of the directory is not as",
        ),
        (_between, "the header of attempts.csv is not as"),
        (_behind_packed, "attempts.jsonl does not end where its packed content does"),
        (lambda raw: raw[:10] + b"\x01" + raw[11:], "the header of attempts.jsonl is not as"),
    ],
    ids=["before", "behind", "comment", "between", "behind-packed", "time"],
)
def test_each_byte_is_one_of_the_bundle(
    made: Path, edit: Callable[[bytes], bytes], why: str
) -> None:
    made.write_bytes(edit(made.read_bytes()))
    refused(made, why)


@pytest.mark.parametrize("piece_bytes", [1, 7, 64])
def test_pieces_may_end_anywhere(
    made: Path, monkeypatch: pytest.MonkeyPatch, piece_bytes: int
) -> None:
    monkeypatch.setattr(framing, "_PIECE", piece_bytes)
    assert check_bundle(made).manifest.attempts == 4


def test_members_beyond_four_gigabytes_are_told_as_zipfile_tells_them(tmp_path: Path) -> None:
    """The directory alone, behind a hole: nobody packs gigabytes for a test."""
    path, infos = tmp_path / "large.zip", []
    with zipfile.ZipFile(path, "w") as archive:
        at = 0
        for name, packed_bytes in zip(MEMBERS, (3 << 30, 2 << 30, 7, 7), strict=True):
            info = zipfile.ZipInfo(name, framing.DAWN)
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, framing.MODE
            info.create_version = info.extract_version = 45
            info.compress_size = info.file_size = packed_bytes
            info.CRC, info.header_offset = 5, at
            at += 30 + len(name) + 20 + packed_bytes
            infos.append(info)
        archive.filelist, archive.start_dir = infos, at
        archive._didModify = True  # type: ignore[attr-defined]  # as if they had been written
    with path.open("rb") as file:
        file.seek(at)
        written = file.read()
    entries = [framing._entries(info, info.header_offset)[0] for info in infos]
    directory = b"".join(entries)
    assert written == directory + framing._end(4, len(directory), at)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_no_byte_around_the_contents_can_be_changed(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = bundle(tmp_path_factory.mktemp("around") / "made.zip")
    raw = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        infos, at = archive.infolist(), archive.start_dir
    around = list(range(at, len(raw)))
    for info in infos:
        around += range(info.header_offset, info.header_offset + 30 + len(info.filename) + 20)
    at = data.draw(st.sampled_from(around))
    raw[at] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(raw)
    with pytest.raises(BadBundle):
        check_bundle(path)


# --- hostile archives -------------------------------------------------------------------------


def test_what_is_no_bundle(tmp_path: Path, made: Path) -> None:
    (tmp_path / "text.zip").write_text("hello")
    refused(tmp_path / "text.zip", "no sound ZIP")
    refused(tmp_path / "none.zip", "No such file")
    refused(tmp_path, "Is a directory")
    (tmp_path / "cut.zip").write_bytes(made.read_bytes()[:-30])
    refused(tmp_path / "cut.zip", "no sound ZIP")


def test_other_members(made: Path, tmp_path: Path) -> None:
    members = contents(made)
    refused(packed(tmp_path / "empty.zip", {}), "holds nothing")
    refused(packed(tmp_path / "more.zip", members | {"more": b""}), "more than 4 files")
    some = {name: members[name] for name in MEMBERS[1:]}
    refused(packed(tmp_path / "less.zip", some), "holds 'attempts.csv'")
    refused(packed(tmp_path / "up.zip", {"../x": b""}), "points upwards")


def test_a_bomb(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    members = contents(made)
    members[LINES] = b"\0" * (300 << 20)
    refused(packed(tmp_path / "bomb.zip", members), "would unpack to")
    members = contents(made)
    members[MANIFEST] = b" " * (2 << 20)
    refused(packed(tmp_path / "long.zip", members), "longer than")


def test_a_member_that_is_damaged(made: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(made) as archive:
        info = archive.getinfo(LINES)
    raw = bytearray(made.read_bytes())
    at = info.header_offset + 30 + len(LINES) + 30
    raw[at : at + 20] = b"\xff" * 20
    (tmp_path / "damaged.zip").write_bytes(raw)
    with pytest.raises(BadBundle):
        check_bundle(tmp_path / "damaged.zip")
