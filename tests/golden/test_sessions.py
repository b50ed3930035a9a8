"""Sessions of real modules, and how the host keeps up its end of them, byte for byte."""

from pathlib import Path

import pytest

from station.errors import StationError
from station.protocols.dialogue import Dialogue
from station.protocols.firehose import Geometry, Profile
from tests.golden.plays import Host, play
from tests.golden.replay import Event, Replay, image_of, read

SESSIONS = sorted((Path(__file__).parent / "sessions").glob("*.jsonl"))

by_session = pytest.mark.parametrize("path", SESSIONS, ids=lambda path: path.stem)


def host_of(first: Event) -> Host:
    sector_size_bytes, pages_per_block = first.get("geometry", (2048, 64))
    profile = Profile(**first.get("profile", {}))
    image = image_of(first.get("image_bytes", 0))
    return Host(image, Geometry(sector_size_bytes, pages_per_block), profile)


@by_session
def test_the_host_says_what_the_session_wants(path: Path) -> None:
    first, events = read(path)
    host = host_of(first)
    replay = Replay(events, host.image.data)
    ends = dict(first["ends"])
    error, cause = ends.pop("error", ""), ends.pop("cause", "")
    raised, said = how_it_ends(replay, play(host, first["plays"]))
    assert raised == error, said
    assert cause in said
    assert host.came.items() >= ends.items(), host.came
    for text in first.get("shows", ()):
        assert any(text in shown for shown in replay.shown), replay.shown


def how_it_ends(replay: Replay, dialogue: Dialogue[None]) -> tuple[str, str]:
    """The error's name and cause, or twice nothing."""
    try:
        replay.run(dialogue)
    except StationError as error:
        return type(error).__name__, error.cause
    return "", ""


@by_session
def test_every_session_says_where_it_was_seen_and_ends_somehow(path: Path) -> None:
    first, _ = read(path)
    assert first["session"]
    assert first["seen"]
    assert first["ends"] or first["shows"]


@by_session
def test_a_session_in_which_the_host_says_something_else_fails(path: Path) -> None:
    """One bit of what the host should send is changed."""
    first, events = read(path)
    at = next((i for i, event in enumerate(events) if "host" in event and "data" in event), None)
    if at is None:
        return
    data: bytes = events[at]["data"]
    events[at]["data"] = bytes((data[0] ^ 1,)) + data[1:]
    host = host_of(first)
    with pytest.raises(AssertionError):
        Replay(events, host.image.data).run(play(host, first["plays"]))
