import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.errors import DiagError
from station.protocols import hdlc

FRAMES = {
    "4b650100": "4b650100540f7e",
    "7c": "7c93497e",
    "00": "0078f07e",
    "290100": "29010031407e",
    "290200": "290200596a7e",
    "41303030303030": "41303030303030df8a7e",
}


def payloads(data: bytes, chunk_bytes: int) -> list[bytes]:
    framer = hdlc.Framer()
    found = []
    for start in range(0, len(data), chunk_bytes):
        framer.feed(data[start : start + chunk_bytes])
        while (payload := framer.next()) is not None:
            found.append(payload)
    return found


def test_the_crc_is_the_one_of_x25() -> None:
    assert hdlc.crc16(b"123456789") == 0x906E


@pytest.mark.parametrize(("payload", "frame"), FRAMES.items())
def test_known_frames_both_ways(payload: str, frame: str) -> None:
    assert hdlc.encode(bytes.fromhex(payload)) == bytes.fromhex(frame)
    assert payloads(bytes.fromhex(frame), 99) == [bytes.fromhex(payload)]


def test_flag_and_escape_are_escaped() -> None:
    assert hdlc.encode(b"\x7e\x7d").startswith(b"\x7d\x5e\x7d\x5d")


def test_a_flag_in_front_is_no_frame() -> None:
    assert payloads(bytes.fromhex("7e7e 7c93497e 7e"), 1) == [b"\x7c"]


@pytest.mark.parametrize(
    "frame",
    ["4b650100540e7e", "7c7e", "93497e", "7c93497d7e", "7d7e"],
    ids=["bad crc", "one byte", "crc alone", "ends in an escape", "escape alone"],
)
def test_a_bad_frame_is_raised_and_the_next_one_read(frame: str) -> None:
    framer = hdlc.Framer()
    framer.feed(bytes.fromhex(frame) + bytes.fromhex("0078f07e"))
    with pytest.raises(DiagError):
        framer.next()
    assert framer.next() == b"\0"
    assert framer.next() is None


@pytest.mark.parametrize("end", [b"", b"\x7e"], ids=["open", "closed"])
def test_a_frame_without_end_is_refused(end: bytes) -> None:
    framer = hdlc.Framer()
    framer.feed(bytes(hdlc.MAX_FRAME_BYTES + 1) + end)
    with pytest.raises(DiagError, match="longer than"):
        framer.next()
    framer.feed(bytes.fromhex("0078f07e"))
    assert framer.next() == b"\0"


@given(st.lists(st.binary(min_size=1, max_size=60), max_size=5), st.sampled_from([1, 7, 47, 9999]))
def test_any_payloads_survive_any_chunking(wanted: list[bytes], chunk_bytes: int) -> None:
    stream = b"".join(hdlc.encode(payload) for payload in wanted)
    assert stream.count(b"\x7e") == len(wanted)
    assert payloads(stream, chunk_bytes) == wanted


@given(st.binary(max_size=200))
def test_garbage_raises_only_diag_errors(garbage: bytes) -> None:
    framer = hdlc.Framer()
    framer.feed(garbage + b"\x7e")
    for _ in range(len(garbage) + 2):
        try:
            if framer.next() is None:
                return
        except DiagError:
            continue
    pytest.fail("the framer does not come to an end")
