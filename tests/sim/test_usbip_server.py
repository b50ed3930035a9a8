"""Modules exported over real sockets, under a clock that jumps; the peer writes literal bytes."""

import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from station.errors import ConfigError
from station.sim.usbip_server import MAX_CONNECTIONS, UsbipServer, listen_tcp
from tests.mock_time import time_passes
from tests.sim import literals, units
from tests.sim.usbip_host import IMPORT_1_1, IMPORTED, NO_DEVICE, Peer, house
from tests.transport.loopback import Loopback

DEVLIST = bytes.fromhex("0111 8005 00000000")
BUSY = bytes.fromhex("0111 0003 00000002")
UNLINK_2 = bytes.fromhex("00000002 00000003 00010001 00000000 00000000 00000002") + bytes(24)
UNLINKED_2 = bytes.fromhex("00000004 00000003 00000000 00000000 00000000 ffffff98") + bytes(24)

SWITCH = bytes.fromhex(  # SUBMIT 1: OUT on endpoint 1, 7 bytes: DIAG, go to EDL
    "00000001 00000001 00010001 00000000 00000001 00000000 00000007 00000000"
    "00000000 00000000 00000000 00000000"
    "4b650100540f7e"
)
SWITCH_TAKEN = bytes.fromhex(
    "00000003 00000001 00000000 00000000 00000000 00000000 00000007 00000000"
    "00000000 00000000 00000000 00000000"
)
READ_DIAG = bytes.fromhex(  # SUBMIT 2: IN on endpoint 1
    "00000001 00000002 00010001 00000001 00000001 00000200 00000200 00000000"
    "00000000 00000000 00000000 00000000"
)
SWITCH_ECHO = bytes.fromhex(
    "00000003 00000002 00000000 00000000 00000000 00000000 00000007 00000000"
    "00000000 00000000 00000000 00000000"
    "4b650100540f7e"
)
READ_EDL = bytes.fromhex(  # the same of the module's second enumeration
    "00000001 00000001 00010002 00000001 00000001 00000200 00000200 00000000"
    "00000000 00000000 00000000 00000000"
)
HELLO = bytes.fromhex(
    "00000003 00000001 00000000 00000000 00000000 00000000 00000030 00000000"
    "00000000 00000000 00000000 00000000"
    "010000003000000002000000010000000004000000000000"
) + bytes(24)


@pytest.mark.trio
async def test_the_list_shows_who_is_there(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with house(tmp_path, units.module(), None, units.module(family="rm500q")) as at:
        peer = await at.peer()
        listed = await peer.ask(DEVLIST, 12 + 2 * (312 + 5 * 4))
        assert listed[:12] == bytes.fromhex("0111 0005 00000000 00000002")
        ec25, rm500q = listed[12 : 12 + 332], listed[12 + 332 :]
        assert ec25[256:262] == b"1-1\0\0\0"
        assert ec25[288:] == bytes.fromhex(
            "00000001 00000001 00000003 2c7c 0125 0318 ef 02 01 01 01 05"
            "ffffff00 ff000000 ff000000 ff000000 ffffff00"
        )
        assert rm500q[256:262] == b"1-3\0\0\0"
        assert rm500q[288:] == bytes.fromhex(
            "00000001 00000001 00000005 2c7c 0800 0414 00 00 00 01 01 05"
            "ffff3000 ff000000 ff000000 ff000000 ffffff00"
        )
        assert await peer.is_closed()


@pytest.mark.trio
async def test_a_host_enumerates_what_it_imported(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with house(tmp_path, units.module(family="rm500q")) as at:
        peer = await at.imported()
        assert await peer.descriptor(1, 0, 18) == bytes.fromhex(
            "1201 2003 000000 09 7c2c 0008 1404 01 02 00 01"
        )
        assert (await peer.descriptor(15, 0, 42))[:5] == bytes.fromhex("050f2a0003")
        assert len(await peer.descriptor(2, 0, 512)) == 293
        assert (await peer.descriptor(3, 2, 255))[2:].decode("utf-16-le") == "RM500Q-GL"
        assert await peer.transfer(0, setup="00 09 0100 0000 0000") == (0, b"")
        assert await peer.transfer(0x80, length=10, setup="80 06 0006 0000 0a00") == (-32, b"")


@pytest.mark.trio
async def test_a_conversation_at_the_at_port(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with house(tmp_path, units.module()) as at:
        peer = await at.imported()
        assert await peer.transfer(0, setup="21 22 0300 0200 0000") == (0, b"")
        heard = b""
        while b"+QUSIM: 1" not in heard:
            status, data = await peer.transfer(0x84, length=512)
            assert status == 0
            heard += data
        assert await peer.transfer(3, b"ATE0\r") == (0, b"")
        while b"OK\r\n" not in heard:
            heard += (await peer.transfer(0x84, length=512))[1]
        await peer.transfer(3, b"AT+CGMM\r")
        status, data = await peer.transfer(0x84, length=512)
        assert (status, data) == (0, b"\r\nEC25\r\n\r\nOK\r\n")


@pytest.mark.trio
async def test_into_edl_and_back_as_another_device_at_the_same_bus_id(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with house(tmp_path, units.module()) as at:
        peer = await at.imported()
        assert await peer.transfer(0, setup="21 22 0300 0000 0000") == (0, b"")
        assert await peer.ask(SWITCH, 48) == SWITCH_TAKEN
        assert await peer.ask(READ_DIAG, 55) == SWITCH_ECHO
        assert await peer.is_closed()
        peer, edl = await at.returned()
        assert edl[:8] == IMPORTED
        assert edl[264:] == b"1-1".ljust(32, b"\0") + bytes.fromhex(
            "00000001 00000002 00000003 05c6 9008 0000 00 00 00 01 01 01"
        )
        assert await peer.ask(READ_EDL, 96) == HELLO
        assert at.told == [
            "1-1 is imported as 2c7c:0125",
            "the module on 1-1 is gone",
            "1-1 is imported as 05c6:9008",
        ]


@pytest.mark.trio
async def test_zero_packets_reach_the_module(tmp_path: Path, autojump_clock: MockClock) -> None:
    module = Loopback()
    async with house(tmp_path, module) as at:
        peer = await at.imported()
        await peer.transfer(1, b"x" * 512, flags=0x0040)
        await peer.transfer(1, b"")
        await peer.transfer(1, b"y" * 512)
    assert [len(data) for _, data in module.received] == [512, 0, 0, 512]


@pytest.mark.trio
async def test_an_image_is_programmed_byte_for_byte(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    unit = units.module("arrives-programmer-running")
    part = unit.layout.programmed[1]
    start = unit.layout.start_sector(part)
    data = units.image(unit.layout, part)
    data = data.ljust(-(-len(data) // 2048) * 2048, b"\0")
    erase, program = (
        literals.command(unit.layout, tag, start, count)
        for tag, count in (("erase", unit.layout.num_sectors(part)), ("program", len(data) // 2048))
    )
    async with house(tmp_path, unit) as at:
        peer = await at.imported()
        assert b'"ACK"' in await response(peer, literals.CONFIGURE)
        assert b'"ACK"' in await response(peer, erase)
        assert b'rawmode="true"' in await response(peer, program)
        for offset in range(0, len(data), 8192):
            assert await peer.transfer(1, data[offset : offset + 8192], flags=0x0040) == (0, b"")
        assert b'"ACK"' in await response(peer)
    pages = len(data) // 2048
    assert b"".join(unit.nand.read(page) for page in range(start, start + pages)) == data
    assert unit.breaches == []


async def response(peer: Peer, document: bytes = b"") -> bytes:
    """What the programmer says to a document, up to its verdict."""
    if document:
        assert await peer.transfer(1, document) == (0, b"")
    heard = b""
    while b"<response" not in heard:
        heard += (await peer.transfer(0x81, length=4096))[1]
    return heard


@pytest.mark.trio
async def test_a_read_that_is_given_up_leaves_the_answer_to_the_next(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with house(tmp_path, Loopback()) as at:
        peer = await at.imported()
        assert await peer.ask(READ_DIAG + SWITCH + UNLINK_2, 48) == UNLINKED_2
        assert await peer.hear(48) == SWITCH_TAKEN
        assert await peer.ask(READ_DIAG, 55) == SWITCH_ECHO


@pytest.mark.trio
async def test_a_read_that_was_answered_cannot_be_given_up(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with house(tmp_path, Loopback()) as at:
        peer = await at.imported()
        await peer.say(READ_DIAG + SWITCH)
        await trio.testing.wait_all_tasks_blocked()
        await peer.say(UNLINK_2)
        assert await peer.hear(48 + 55) == SWITCH_TAKEN + SWITCH_ECHO
        assert await peer.hear(48) == UNLINKED_2[:20] + bytes(28)


@pytest.mark.trio
async def test_one_host_at_a_time(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with house(tmp_path, Loopback()) as at:
        first = await at.imported()
        second = await at.peer()
        assert await second.ask(IMPORT_1_1, 8) == BUSY
        assert await second.is_closed()
        await first.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        await at.imported()


@pytest.mark.trio
async def test_an_empty_port_and_a_stranger_are_no_devices(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with house(tmp_path, None) as at:
        for question in (IMPORT_1_1, IMPORT_1_1.replace(b"1-1", b"9-9")):
            peer = await at.peer()
            assert await peer.ask(question, 8) == NO_DEVICE
            assert await peer.is_closed()


@pytest.mark.trio
async def test_pulling_a_module_out_ends_its_connection_only(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with house(tmp_path, Loopback(), Loopback()) as at:
        pulled, other = await at.imported(1), await at.imported(2)
        at.server.unplug(at.ports[0])
        assert await pulled.is_closed()
        assert await other.transfer(1, b"hush") == (0, b"")
        at.server.plug(at.ports[0], Loopback())
        assert (await at.imported(1)).device_id == 0x00010002


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (READ_DIAG[:24] + bytes.fromhex("00100001") + READ_DIAG[28:], "1048577 bytes"),
        (READ_DIAG[:24] + bytes.fromhex("ffffffff") + READ_DIAG[28:], "4294967295 bytes"),
        (READ_DIAG[:32] + bytes.fromhex("00000008") + READ_DIAG[36:], "isochronous"),
        (b"\0\0\0\7" + READ_DIAG[4:], "no command 0x7"),
        (READ_DIAG[:8] + bytes.fromhex("00020001") + READ_DIAG[12:], "device 0x20001"),
        (READ_DIAG * 2, "transfer 2 is under way already"),
        (READ_DIAG[:47], "broke off"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.trio
async def test_a_bad_command_ends_its_connection_with_a_reason(
    tmp_path: Path, autojump_clock: MockClock, bad: bytes, told: str
) -> None:
    async with house(tmp_path, Loopback()) as at:
        peer = await at.imported()
        await peer.say(bad)
        assert await peer.is_closed()
        assert told in at.told[-1]
        assert await (await at.imported()).transfer(1, b"hush") == (0, b"")


@pytest.mark.trio
async def test_who_asks_nothing_is_sent_away(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with house(tmp_path, Loopback()) as at:
        for begun in (b"", b"\x01", DEVLIST[:7], IMPORT_1_1[:39]):
            peer = await at.peer()
            await peer.say(begun)
            assert await peer.is_closed()


@pytest.mark.trio
async def test_an_import_may_be_idle_for_hours(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with house(tmp_path, Loopback()) as at:
        peer = await at.imported()
        await time_passes(10_000)
        assert await peer.transfer(1, b"hush") == (0, b"")


@pytest.mark.trio
async def test_who_never_reads_is_not_heard_for_ever(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Its answers are bounded: once they are too many it can say nothing more, then it goes."""
    async with house(tmp_path, Loopback()) as at:
        peer = await at.imported()
        with pytest.raises(trio.BrokenResourceError):  # noqa: PT012 - how much fits is not ours
            while True:
                await peer.say(UNLINK_2 * 1000)
        assert "took nothing" in at.told[-1]
        assert await (await at.imported()).transfer(1, b"hush") == (0, b"")


@pytest.mark.trio
async def test_a_command_that_comes_while_a_long_answer_is_sent(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    length, data = 1 << 20, b"x" * (1 << 20)
    async with house(tmp_path, Loopback()) as at:
        peer = await at.imported()
        assert await peer.transfer(1, data) == (0, b"")
        head = struct.pack(">10I8x", 1, 2, 0x00010001, 1, 1, 0, length, 0, 0, 0)
        await peer.say(head)
        await trio.testing.wait_all_tasks_blocked()
        await peer.say(SWITCH)
        await trio.testing.wait_all_tasks_blocked()
        assert (await peer.hear(48 + length))[48:] == data
        with trio.fail_after(60):
            assert await peer.hear(48) == SWITCH_TAKEN


@pytest.mark.trio
async def test_connections_are_bounded(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with house(tmp_path, Loopback()) as at:
        idle = [await at.peer() for _ in range(MAX_CONNECTIONS)]
        await trio.testing.wait_all_tasks_blocked()
        assert await (await at.peer()).is_closed()
        assert at.told == ["a connection was dropped: 128 connections are open already"]
        for peer in idle:
            await peer.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        await at.imported()


@pytest.mark.trio
async def test_by_tcp_it_listens_on_this_machine_only() -> None:
    server = UsbipServer([])
    listeners = await listen_tcp(0)
    addresses = [listener.socket.getsockname() for listener in listeners]
    assert [host for host, _ in addresses] == ["127.0.0.1"]
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve, listeners)
        peer = Peer(await trio.open_tcp_stream(*addresses[0]))
        assert await peer.ask(DEVLIST, 12) == bytes.fromhex("0111 0005 00000000 00000000")
        with pytest.raises(ConfigError, match=rf"127.0.0.1 port {addresses[0][1]}"):
            await listen_tcp(addresses[0][1])
        await peer.stream.aclose()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(("port", "host"), [(0, ""), (-1, "127.0.0.1"), (65536, "127.0.0.1")])
@pytest.mark.trio
async def test_an_address_that_is_none_is_refused(port: int, host: str) -> None:
    with pytest.raises(ConfigError, match="no address"):
        await listen_tcp(port, host)


COMMANDS = st.one_of(
    st.binary(max_size=200),
    st.just(UNLINK_2),
    st.builds(
        lambda sequence, is_in, endpoint, flags, setup, data, lie: (
            struct.pack(">6I", 1, sequence, 0x00010001, is_in, endpoint, flags)
            + struct.pack(">4I8s", len(data) + lie, 0, 0, 0, setup)
            + (b"" if is_in else data)
        ),
        st.integers(1, 6),
        st.integers(0, 1),
        st.integers(0, 6),
        st.sampled_from([0, 1, 0x40]),
        st.one_of(
            st.binary(min_size=8, max_size=8),
            st.sampled_from([bytes.fromhex("2122030002000000"), bytes.fromhex("8006000200000002")]),
        ),
        st.one_of(st.binary(max_size=600), st.sampled_from([b"edl", b"AT\r", literals.SWITCH])),
        st.sampled_from([0, 0, 0, 1, 1 << 20]),
    ),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.booleans(), st.lists(COMMANDS, max_size=12))
def test_whatever_is_sent_harms_nobody_else(imports: bool, script: list[bytes]) -> None:
    async def play(folder: Path) -> None:
        async with house(folder, units.module(), Loopback()) as at:
            good = await at.imported(2)
            bad = await (at.imported() if imports else at.peer())
            try:
                for data in script:
                    await bad.say(data)
                await bad.stream.send_eof()
            except trio.BrokenResourceError:
                pass
            await good.transfer(1, b"echo")
            assert await good.transfer(0x81, length=512) == (0, b"echo")
            assert await bad.is_closed()
            assert not [line for line in at.told if "bug" in line]

    run_in_folder(play)


def run_in_folder(play: Callable[[Path], Awaitable[None]]) -> None:
    with TemporaryDirectory() as folder:
        trio.run(play, Path(folder), clock=MockClock(autojump_threshold=0))
