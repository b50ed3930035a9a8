"""What a station signs, written out and read again; and what is none."""

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.errors import NoCheckpoint, NoSigningKey, NotPublished
from station.seal.checkpoint import Checkpoint, parse_line
from station.seal.keys import load_key, make_key
from station.seal.published import last_published, publish, read_published
from tests.store.samples import a_key

MADE = Checkpoint("line-1", 812, "ab" * 32, 1_790_000_000_123_456, "shift", "").signed(a_key())


def test_it_comes_back_as_it_was() -> None:
    assert parse_line(MADE.line(), "here") == MADE
    assert MADE.is_genuine()


@pytest.mark.parametrize(
    "change",
    [
        {"station": "line-2"},
        {"seq": 811},
        {"hash": "ac" * 32},
        {"utc_us": 0},
        {"reason": "rows"},
        {"public_key": "00" * 32},
        {"public_key": "not hex"},
        {"signature": ""},
        {"signature": "zz"},
    ],
)
def test_nothing_in_it_can_be_changed(change: dict[str, object]) -> None:
    assert not replace(MADE, **change).is_genuine()  # type: ignore[arg-type]  # any field


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("", "is not JSON"),
        ("[" * 4000, "is not JSON"),
        ("x" * 5000, "is longer than 4096"),
        ("[]", "is no checkpoint of format 1"),
        ('{"format": 2}', "is no checkpoint of format 1"),
        ('{"format": 1, "station": "x"}', "has other fields"),
        (json.dumps(json.loads(MADE.line()) | {"seq": "812"}), "seq is no int"),
        (json.dumps(json.loads(MADE.line()) | {"seq": True}), "seq is no int"),
    ],
)
def test_what_is_none_is_refused_by_its_place(line: str, why: str) -> None:
    with pytest.raises(NoCheckpoint, match=f"there:3 .*{why}|there:3: {why}"):
        parse_line(line, "there:3")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda some: st.lists(some, max_size=3) | st.dictionaries(st.text(max_size=5), some),
)


@given(st.text(max_size=200) | _JSON.map(json.dumps))
def test_nothing_else_comes_out(line: str) -> None:
    with pytest.raises(NoCheckpoint, match=r"^here"):
        parse_line(line, "here")


def test_a_file_grows_and_lines_that_are_none_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints.jsonl"
    publish(MADE, path)
    with path.open("a") as file:
        file.write(MADE.line()[:40])  # a power cut
    assert read_published(path).checkpoints == (MADE,)
    publish(MADE, path)
    found = read_published(path)
    assert found.checkpoints == (MADE, MADE)
    assert len(found.strange) == 1
    assert "checkpoints.jsonl:2 is not JSON" in found.strange[0]


def test_a_last_line_without_an_end_counts(tmp_path: Path) -> None:
    path = tmp_path / "copied.jsonl"
    path.write_text(MADE.line())
    assert read_published(path).checkpoints == (MADE,)


def test_the_last_that_was_published_is_that_stations_own(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints.jsonl"
    assert last_published(path, "line-1") is None
    later = replace(MADE, seq=900)  # not as it was signed
    for checkpoint in (MADE, replace(MADE, station="line-2").signed(a_key()), later):
        publish(checkpoint, path)
    assert last_published(path, "line-1") == MADE


def test_files_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(NotPublished, match="Is a directory"):
        publish(MADE, tmp_path)
    with pytest.raises(NoCheckpoint, match="No such file"):
        read_published(tmp_path / "none")
    with pytest.raises(NoCheckpoint, match="No such file"):
        last_published(tmp_path / "none" / "checkpoints.jsonl", "line-1")


def test_one_that_must_be_there_is_not_begun(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints.jsonl"
    with pytest.raises(NotPublished, match="No such file"):
        publish(MADE, path, must_exist=True)
    with pytest.raises(NoCheckpoint, match="No such file"):
        last_published(path, "line-1", must_exist=True)
    assert not path.exists()
    path.touch()
    assert last_published(path, "line-1", must_exist=True) is None
    publish(MADE, path, must_exist=True)
    assert last_published(path, "line-1", must_exist=True) == MADE


def test_a_key_is_made_once_and_for_its_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "station.key"
    key = make_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_key(path).public == key.public
    with pytest.raises(NoSigningKey, match="a key is never replaced"):
        make_key(path)
    path.chmod(0o640)
    with pytest.raises(NoSigningKey, match="can be read by others"):
        load_key(path)
    path.chmod(0o600)
    path.write_text("nonsense")
    with pytest.raises(NoSigningKey, match="holds no private key"):
        load_key(path)
    with pytest.raises(NoSigningKey, match="No such file"):
        load_key(tmp_path / "none")
