"""What every backend promises (`station.transport.base`), asked of each of them."""

import contextlib

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from station.errors import Disconnected, FileChanged, Timeout, UsbBroken, UsbBusy, UsbClosed
from station.model import DeviceInfo, Interface
from station.protocols.dialogue import BytesSource
from station.transport.base import Pipe
from tests.transport.conftest import World
from tests.transport.loopback import AT, DIAG, EDL, MUTE, Loopback
from tests.transport.patience import patient

pytestmark = pytest.mark.trio


async def write_span(pipe: Pipe, source: BytesSource, length_bytes: int, **more: object) -> bytes:
    """All from the start in chunks of 512; returns what `sent` was told."""
    told: list[bytes | memoryview] = []
    await pipe.write_span(
        source,
        0,
        length_bytes,
        chunk_bytes=512,
        zlp=bool(more.get("zlp", False)),
        timeout_s=5.0,
        sent=told.append,
    )
    return b"".join(told)


def controls_of(module: Loopback, interface: Interface) -> list[tuple[int, int, int, int]]:
    """Control transfers to one interface: the kernel's own drivers talk to others."""
    return [control for control in module.controls if control[3] == interface.number]


# --- who is there -----------------------------------------------------------------------------


async def test_an_empty_bus_shows_nothing(world: World) -> None:
    assert await world.backend.scan() == ()


async def test_scan_shows_the_descriptors(world: World, module: Loopback) -> None:
    device = await world.plugged(module)

    assert device.path == world.path
    assert device.usb_id == "2c7c:0125"
    assert device.interfaces == (DIAG, AT, MUTE)
    assert module.received == []
    assert controls_of(module, AT) == []


async def test_the_same_enumeration_looks_the_same(world: World, module: Loopback) -> None:
    device = await world.plugged(module)

    assert await world.backend.scan() == (device,)


async def test_a_module_plugged_again_is_another_enumeration(
    world: World, module: Loopback
) -> None:
    first = await world.plugged(module)
    world.unplug()
    second = await world.plugged(module)

    assert second.generation != first.generation
    with pytest.raises(Disconnected, match=world.place):
        await world.backend.open(first, 0, line_state=False)
    pipe = await world.backend.open(second, 0, line_state=False)
    await pipe.aclose()


async def test_a_change_of_mode_is_another_enumeration(world: World, module: Loopback) -> None:
    before = await world.plugged(module)
    pipe = await world.backend.open(before, 0, line_state=False)
    await pipe.write(b"edl", zlp=False, timeout_s=1.0)
    after = await world.seen(lambda device: device.usb_id == "05c6:9008")

    assert after.interfaces == EDL.interfaces
    assert after.path == before.path
    assert after.generation != before.generation
    with pytest.raises(Disconnected):
        await pipe.read(512, 1.0)
    await pipe.aclose()


async def test_wait_change_ends(world: World) -> None:
    with trio.fail_after(patient(5)):
        await world.backend.wait_change(0.01)


async def test_product_string(world: World, module: Loopback) -> None:
    device = await world.plugged(module)
    assert await world.backend.product(device) == "Loopback"

    world.unplug()
    await world.left()
    with pytest.raises(Disconnected, match=world.place):
        await world.backend.product(device)


# --- opening and closing ----------------------------------------------------------------------


async def test_an_interface_has_one_owner(world: World, module: Loopback) -> None:
    device = await world.plugged(module)
    first = await world.backend.open(device, 0, line_state=False)

    with pytest.raises(UsbBusy, match=world.place):
        await world.backend.open(device, 0, line_state=False)
    other = await world.backend.open(device, 2, line_state=False)
    await other.aclose()
    await first.aclose()
    again = await world.backend.open(device, 0, line_state=False)
    await again.aclose()


@pytest.mark.parametrize("number", [4, 9], ids=["no-bulk", "missing"])
async def test_an_interface_that_cannot_be_used(
    world: World, module: Loopback, number: int
) -> None:
    device = await world.plugged(module)

    with pytest.raises(UsbBroken, match=world.place):
        await world.backend.open(device, number, line_state=False)


async def test_line_state_is_the_request_of_the_option_driver(
    world: World, module: Loopback
) -> None:
    device = await world.plugged(module)
    await (await world.backend.open(device, 0, line_state=False)).aclose()
    assert controls_of(module, AT) == []

    await (await world.backend.open(device, 2, line_state=True)).aclose()
    assert controls_of(module, AT) == [(0x21, 0x22, 0x0003, 2)]


async def test_a_closed_pipe_says_so(world: World, module: Loopback) -> None:
    pipe = await world.opened(module)
    await pipe.aclose()
    await pipe.aclose()

    with pytest.raises(UsbClosed):
        await pipe.read(512, 0.0)
    with pytest.raises(UsbClosed):
        await pipe.write(b"x", zlp=False, timeout_s=1.0)
    with pytest.raises(UsbClosed):
        await write_span(pipe, BytesSource("a.bin", b"x"), 1)
    assert module.received == []


async def test_closing_ends_a_read_under_way(world: World, module: Loopback) -> None:
    pipe = await world.opened(module)
    ended: list[bool] = []

    async def read() -> None:
        with pytest.raises(UsbClosed):
            await pipe.read(512, 3600.0)
        ended.append(True)

    with trio.fail_after(patient(5)):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await wait_all_tasks_blocked()
            await pipe.aclose()
    assert ended == [True]


async def test_closing_after_the_module_left(world: World, module: Loopback) -> None:
    pipe = await world.opened(module)
    world.unplug()

    await pipe.aclose()


async def test_closing_in_a_cancelled_scope_gives_the_interface_back(
    world: World, module: Loopback
) -> None:
    device = await world.plugged(module)
    pipe = await world.backend.open(device, 0, line_state=False)
    with trio.CancelScope() as scope:
        scope.cancel()
        await pipe.aclose()

    again = await world.backend.open(device, 0, line_state=False)
    await again.aclose()


async def look(pipe: Pipe) -> bytes:
    """What is there already. A look may last no time at all, and what brings the answer, a thread
    or a kernel, has other things to do on a busy machine."""
    for _ in range(round(patient(100))):
        with contextlib.suppress(Timeout):
            return await pipe.read(512, 0.0)
        await trio.sleep(0.001)  # a poll: a look rings no bell
    raise AssertionError("it is there, and no look shows it")


# --- reading ----------------------------------------------------------------------------------


async def test_write_and_read(world: World, module: Loopback) -> None:
    pipe = await world.opened(module, 2)

    assert pipe.max_packet_bytes == 512
    await pipe.write(b"AT\r", zlp=False, timeout_s=1.0)
    assert await pipe.read(512, 1.0) == b"AT\r"
    assert module.received == [(2, b"AT\r")]
    await pipe.aclose()


async def test_one_read_is_at_most_one_transfer(world: World, module: Loopback) -> None:
    pipe = await world.opened(module)
    await pipe.write(b"twice", zlp=False, timeout_s=1.0)

    assert await pipe.read(1024, 1.0) == b"one"
    assert await pipe.read(1024, 1.0) == b"two"
    await pipe.aclose()


async def test_a_long_transfer_arrives_in_parts(world: World, module: Loopback) -> None:
    pipe = await world.opened(module)
    await pipe.write(bytes(700), zlp=False, timeout_s=1.0)

    assert await pipe.read(512, 1.0) == bytes(512)
    assert await pipe.read(512, 1.0) == bytes(188)
    await pipe.aclose()


async def test_a_zero_length_packet_is_an_answer(world: World, module: Loopback) -> None:
    pipe = await world.opened(module)
    await pipe.write(b"empty", zlp=False, timeout_s=1.0)

    assert await pipe.read(512, 1.0) == b""
    await pipe.aclose()


async def test_silence_is_a_timeout(world: World, module: Loopback) -> None:
    pipe = await world.opened(module)

    with pytest.raises(Timeout):
        await pipe.read(512, 0.02)
    await pipe.aclose()


async def test_zero_timeout_takes_what_is_there(world: World, module: Loopback) -> None:
    pipe = await world.opened(module)

    with trio.fail_after(patient(5)):
        with pytest.raises(Timeout):
            await pipe.read(512, 0.0)
        await pipe.write(b"hello", zlp=False, timeout_s=1.0)
        assert await look(pipe) == b"hello"
    await pipe.aclose()


async def test_a_cancelled_read_loses_nothing(world: World, module: Loopback) -> None:
    pipe = await world.opened(module)

    with trio.fail_after(patient(5)):
        with trio.move_on_after(0.02) as scope:
            await pipe.read(512, 3600.0)
        assert scope.cancelled_caught
        await pipe.write(b"still here", zlp=False, timeout_s=1.0)
        assert await pipe.read(512, 1.0) == b"still here"
    await pipe.aclose()


async def test_pulled_out_during_a_read(world: World, module: Loopback) -> None:
    pipe = await world.opened(module)
    raised: list[Disconnected] = []

    async def read() -> None:
        with pytest.raises(Disconnected, match=world.place) as caught:
            await pipe.read(512, 3600.0)
        raised.append(caught.value)

    with trio.fail_after(patient(5)):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await wait_all_tasks_blocked()
            world.unplug()
    assert len(raised) == 1
    await pipe.aclose()


# --- writing ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "zlp", "transfers"),
    [
        (bytes(512), True, [bytes(512), b""]),
        (bytes(512), False, [bytes(512)]),
        (bytes(511), True, [bytes(511)]),
        (bytes(1024), True, [bytes(1024), b""]),
        (b"", True, [b""]),
    ],
)
async def test_a_full_last_packet_is_ended_by_an_empty_one(
    world: World, module: Loopback, data: bytes, zlp: bool, transfers: list[bytes]
) -> None:
    pipe = await world.opened(module)
    await pipe.write(data, zlp=zlp, timeout_s=1.0)

    assert [data for _, data in module.received] == transfers
    await pipe.aclose()


async def test_a_span_is_chunks_with_zeros_after_the_end(world: World, module: Loopback) -> None:
    pipe = await world.opened(module)
    image = b"a" * 512 + b"b" * 512 + b"c" * 100
    told = await write_span(pipe, BytesSource("a.bin", image), 2048, zlp=True)

    assert [data for _, data in module.received] == [
        b"a" * 512,
        b"",
        b"b" * 512,
        b"",
        b"c" * 100 + b"\0" * 412,
        b"",
        b"\0" * 512,
        b"",
    ]
    assert told == image
    await pipe.aclose()


async def test_a_span_without_zlp_ends_with_its_rest(world: World, module: Loopback) -> None:
    pipe = await world.opened(module)
    told: list[bytes | memoryview] = []
    await pipe.write_span(
        BytesSource("a.bin", b"01" + b"x" * 600 + b"yz"),
        2,
        600,
        chunk_bytes=512,
        zlp=False,
        timeout_s=1.0,
        sent=told.append,
    )

    assert [data for _, data in module.received] == [b"x" * 512, b"x" * 88]
    assert b"".join(told) == b"x" * 600
    await pipe.aclose()


async def test_a_span_longer_than_one_hop(world: World, module: Loopback) -> None:
    pipe = await world.opened(module)
    image = bytes(range(256)) * 10240
    await pipe.write_span(
        BytesSource("a.bin", image),
        0,
        len(image),
        chunk_bytes=16384,
        zlp=False,
        timeout_s=1.0,
        sent=None,
    )

    assert len(module.received) == 160
    assert b"".join(data for _, data in module.received) == image
    await pipe.aclose()


@pytest.mark.parametrize(("length_bytes", "chunk_bytes"), [(512, 0), (512, -1), (-1, 512)])
async def test_a_span_that_makes_no_sense(
    world: World, module: Loopback, length_bytes: int, chunk_bytes: int
) -> None:
    pipe = await world.opened(module)

    with trio.fail_after(patient(5)), pytest.raises(ValueError, match="span"):
        await pipe.write_span(
            BytesSource("a.bin", bytes(512)),
            0,
            length_bytes,
            chunk_bytes=chunk_bytes,
            zlp=False,
            timeout_s=1.0,
            sent=None,
        )
    assert module.received == []
    await pipe.aclose()


class Shrunk(BytesSource):
    """Says it is longer than it is: the file was cut after the check."""

    @property
    def length_bytes(self) -> int:
        return 2048


async def test_an_image_that_got_shorter_stops_the_span(world: World, module: Loopback) -> None:
    pipe = await world.opened(module)

    with pytest.raises(FileChanged, match=r"a\.bin"):
        await write_span(pipe, Shrunk("a.bin", bytes(700)), 2048)
    assert [data for _, data in module.received] in ([], [bytes(512)]), "nothing padded, no rest"
    await pipe.aclose()


async def test_lost_during_a_span(world: World) -> None:
    module = Loopback(leaves_after=5)
    pipe = await world.opened(module)
    told: list[bytes | memoryview] = []

    with trio.fail_after(patient(5)), pytest.raises(Disconnected, match=world.place):
        await pipe.write_span(
            BytesSource("a.bin", bytes(51200)),
            0,
            51200,
            chunk_bytes=512,
            zlp=False,
            timeout_s=5.0,
            sent=told.append,
        )
    assert len(b"".join(told)) in (4 * 512, 5 * 512)
    await pipe.aclose()


async def test_a_cancelled_span_stops_between_hops(world: World) -> None:
    module = Loopback(busy_s=0.01)
    pipe = await world.opened(module)

    with trio.fail_after(patient(5)):
        with trio.move_on_after(patient(0.1)) as scope:
            await write_span(pipe, BytesSource("a.bin", bytes(512_000)), 512_000)
        assert scope.cancelled_caught
    assert 0 < len(module.received) < 1000
    await pipe.aclose()


async def test_a_pipe_has_one_user(world: World, module: Loopback) -> None:
    pipe = await world.opened(module)

    with trio.fail_after(patient(5)):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pipe.read, 512, 3600.0)
            await wait_all_tasks_blocked()
            with pytest.raises((trio.BusyResourceError, UsbBusy)):
                await pipe.read(512, 0.0)
            nursery.cancel_scope.cancel()
    await pipe.aclose()


async def test_two_modules_do_not_meet(world: World, module: Loopback) -> None:
    pipe = await world.opened(module)
    device: DeviceInfo = (await world.backend.scan())[0]
    other = await world.backend.open(device, 2, line_state=False)
    await pipe.write(b"diag", zlp=False, timeout_s=1.0)
    await other.write(b"at", zlp=False, timeout_s=1.0)

    assert await other.read(512, 1.0) == b"at"
    assert await pipe.read(512, 1.0) == b"diag"
    await other.aclose()
    await pipe.aclose()
