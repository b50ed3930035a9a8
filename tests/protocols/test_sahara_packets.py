import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.errors import SaharaError
from station.protocols import sahara
from station.protocols.sahara import Command, Packet, Status

REAL_HELLO = bytes.fromhex("01000000 30000000 03000000 01000000 00040000 00000000" + "00" * 24)

GOLDEN: list[tuple[Packet, str]] = [
    (sahara.Hello(3, 1, 0x400, 0), REAL_HELLO.hex()),
    (
        sahara.HelloResponse(mode=0),
        "02000000 30000000 02000000 01000000 00000000 00000000" + "00" * 24,
    ),
    (
        sahara.HelloResponse(mode=3, version=2),
        "02000000 30000000 02000000 01000000 00000000 03000000" + "00" * 24,
    ),
    (sahara.ReadData(13, 0x1000, 0x9D0), "03000000 14000000 0d000000 00100000 d0090000"),
    (
        sahara.ReadData(13, 0, 0x40, wide=True),
        "12000000 20000000 0d00000000000000 0000000000000000 4000000000000000",
    ),
    (sahara.EndImage(13, 0), "04000000 10000000 0d000000 00000000"),
    (sahara.EndImage(13, 0x22), "04000000 10000000 0d000000 22000000"),
    (sahara.Done(), "05000000 08000000"),
    (sahara.DoneResponse(1), "06000000 0c000000 01000000"),
    (sahara.Reset(), "07000000 08000000"),
    (sahara.ResetResponse(), "08000000 08000000"),
    (sahara.MemoryDebug(0x8000, 0x340), "09000000 10000000 00800000 40030000"),
    (
        sahara.MemoryDebug(0x8000, 0x340, wide=True),
        "10000000 18000000 0080000000000000 4003000000000000",
    ),
    (sahara.CommandReady(), "0b000000 08000000"),
    (sahara.SwitchMode(0), "0c000000 0c000000 00000000"),
    (sahara.Execute(1), "0d000000 0c000000 01000000"),
    (sahara.ExecuteResponse(1, 4), "0e000000 10000000 01000000 04000000"),
    (sahara.ExecuteData(1), "0f000000 0c000000 01000000"),
    (sahara.ResetStateMachine(), "13000000 08000000"),
]
STREAM = b"".join(bytes.fromhex(wire) for _, wire in GOLDEN)


@pytest.mark.parametrize(("packet", "wire"), GOLDEN, ids=lambda value: type(value).__name__)
def test_literal_packets_both_ways(packet: Packet, wire: str) -> None:
    assert sahara.encode(packet) == bytes.fromhex(wire)
    assert sahara.decode(bytes.fromhex(wire)) == packet


def test_reserved_words_are_not_checked() -> None:
    noisy = sahara.encode(sahara.HelloResponse(mode=0))[:24] + struct.pack("<6I", 1, 2, 3, 4, 5, 6)
    assert sahara.decode(noisy) == sahara.HelloResponse(mode=0)


@pytest.mark.parametrize("chunk_bytes", [1, 7, 47, len(STREAM)])
def test_the_stream_may_be_cut_anywhere(chunk_bytes: int) -> None:
    framer = sahara.Framer()
    packets = []
    for start in range(0, len(STREAM), chunk_bytes):
        framer.feed(STREAM[start : start + chunk_bytes])
        while (packet := framer.next()) is not None:
            packets.append(packet)
    assert packets == [packet for packet, _ in GOLDEN]


def test_the_host_side_takes_raw_data_between_packets() -> None:
    framer = sahara.Framer()
    framer.feed(b"\x0drawbytes" + sahara.encode(sahara.Done()))
    assert framer.take(9) == b"\x0drawbytes"
    assert framer.next() == sahara.Done()
    assert framer.take() == b""


@pytest.mark.parametrize("chunk_bytes", [1, 7, 47])
def test_a_running_programmer_is_seen(chunk_bytes: int) -> None:
    document = b'<?xml version="1.0" encoding="UTF-8" ?><data><log value="x" /></data>'
    framer = sahara.Framer()
    for start in range(0, len(document), chunk_bytes):
        framer.feed(document[start : start + chunk_bytes])
        assert framer.next() is None
    assert framer.programmer_talks
    assert framer.take() == document
    assert not framer.programmer_talks


@pytest.mark.parametrize(
    "wire",
    [
        "",
        "01000000",
        "99000000 08000000",
        "14000000 08000000",
        "0a000000 10000000 00000000 00000000",
        "05000000 07000000",
        "05000000 ffffffff",
        "03000000 10000000 00000000 00000000",
        "04000000 10000000 0d000000",
        "05000000 08000000 00",
    ],
    ids=[
        "nothing",
        "half a header",
        "unknown",
        "named in the kernel only",
        "memory read",
        "length below header",
        "length without end",
        "short for its command",
        "cut",
        "too much",
    ],
)
def test_what_is_no_packet_is_a_sahara_error(wire: str) -> None:
    with pytest.raises(SaharaError):
        sahara.decode(bytes.fromhex(wire))


def test_a_framer_forgets_garbage() -> None:
    framer = sahara.Framer()
    framer.feed(b"+CPIN: READY\r\n")
    with pytest.raises(SaharaError, match="no Sahara command"):
        framer.next()
    framer.feed(REAL_HELLO)
    assert framer.next() == sahara.Hello(3, 1, 0x400, 0)


def test_every_status_has_its_words_and_unknown_ones_are_carried() -> None:
    assert [status.value for status in Status] == list(range(0x29))
    assert all(b == a + 1 for a, b in pairwise(Status))
    assert Status.describe(0x21) == "hash table authentication failure (0x21)"
    assert Status.describe(0x22) == "hash verification failure (0x22)"
    assert Status.describe(0x25) == "image authentication failure (0x25)"
    assert Status.describe(0x1F) == "execute unsupported (0x1f)"
    assert Status.describe(0xFFFFFFFF) == "unknown status (0xffffffff)"
    assert sahara.decode(bytes.fromhex("04000000100000000d000000efbeadde")) == sahara.EndImage(
        13, 0xDEADBEEF
    )


@given(st.sampled_from(Command), st.binary(max_size=60), st.none() | st.integers(0, 2**32 - 1))
def test_any_body_behind_a_header_is_a_packet_or_a_sahara_error(
    command: Command, body: bytes, length_bytes: int | None
) -> None:
    length_bytes = 8 + len(body) if length_bytes is None else length_bytes
    data = struct.pack("<2I", command, length_bytes) + body
    try:
        packet = sahara.decode(data)
    except SaharaError:
        return
    again = sahara.encode(packet)
    assert sahara.decode(again) == packet
    assert len(again) == len(data)


@given(st.lists(st.binary(max_size=50), max_size=8))
def test_garbage_never_grows_in_the_framer(chunks: list[bytes]) -> None:
    framer = sahara.Framer()
    for chunk in chunks:
        framer.feed(chunk)
        try:
            while framer.next() is not None:
                pass
        except SaharaError:
            assert framer.take() == b""
