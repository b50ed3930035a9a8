"""What only asynchronous transfers can get wrong: who hears of ends, and ends that never come."""

import contextlib
import os
import select
import threading

import pytest
import trio
import usb.backend.libusb1

from station import disk
from station.errors import NoUsbMemory, StationOverdue, Timeout, UsbBroken, UsbStall
from station.model import Endpoint, PortPath
from station.protocols.dialogue import BytesSource
from station.sim.port import SimPort
from station.transport import libusb, libusb_wire, usb_burst, usb_flight, usb_locks, usb_room
from station.transport.async_pipe import InLane
from station.transport.base import SPAN_BYTES, Pipe
from station.transport.libusb import LibusbBackend, wheel_libusb
from station.transport.port_switch import own_context
from station.transport.usb_control import parse_languages, parse_string
from station.transport.usb_events import Opened, enumeration_of, pump_of
from tests.fakes.pyusb_backend import FakePyusb
from tests.fakes.usb_wire import FakeWire
from tests.kernel.kernel import until
from tests.transport.loopback import Loopback


class Bench:
    def __init__(self, *more: PortPath) -> None:
        self.port = SimPort(PortPath(1, (4, 2)))
        others = [SimPort(path) for path in more]
        self.fake = FakePyusb([self.port, *others])
        self.wire = FakeWire(self.fake)
        self.module = Loopback()
        self.backend = LibusbBackend(self.fake, wire=self.wire)
        self.fake.plug(self.port, self.module)
        for port in others:
            self.fake.plug(port, Loopback())

    async def pipe(self) -> Pipe:
        (device,) = await self.backend.scan()
        return await self.backend.open(device, 0, line_state=False)


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def span(
    pipe: Pipe, length_bytes: int, told: list[bytes | memoryview], timeout_s: float = 5.0
) -> None:
    await pipe.write_span(
        BytesSource("a.bin", bytes(length_bytes)),
        0,
        length_bytes,
        chunk_bytes=512,
        zlp=True,
        timeout_s=timeout_s,
        sent=told.append,
    )


@pytest.mark.trio
async def test_several_chunks_are_under_way_and_none_is_left(bench: Bench) -> None:
    bench.module.busy_s = 0.005  # slower than we are, so that they queue
    pipe = await bench.pipe()
    await span(pipe, 512 * 100, [])
    await pipe.aclose()

    assert bench.wire.most_under_way == usb_burst.IN_FLIGHT
    assert (bench.wire.alive, bench.wire.under_way) == (0, 0)


@pytest.mark.trio
async def test_a_cancelled_span_is_recalled_and_its_chunks_are_told(bench: Bench) -> None:
    bench.module.busy_s = 0.05
    bench.wire.recall_s = 0.01
    pipe = await bench.pipe()
    told: list[bytes | memoryview] = []
    with trio.move_on_after(0.12) as scope:
        await span(pipe, 512 * 100, told)

    assert scope.cancelled_caught
    assert bench.wire.under_way == 0
    assert len(b"".join(told)) == 512 * len([data for _, data in bench.module.received if data])
    await pipe.aclose()
    assert bench.wire.alive == 0


@pytest.mark.trio
async def test_ends_heard_by_another_thread(bench: Bench) -> None:
    pipe = await bench.pipe()
    await pipe.write(b"hello", zlp=False, timeout_s=1.0)
    bench.wire.hears_itself = True
    bench.wire.handled_in.clear()
    with trio.fail_after(5):
        assert await pipe.read(512, 1.0) == b"hello"
    assert threading.get_ident() not in bench.wire.handled_in
    await pipe.aclose()


def test_who_waits_in_a_thread_hears_nothing_of_the_pump() -> None:
    first = wheel_libusb()
    assert isinstance(first, usb.backend.libusb1._LibUSB)
    other = own_context(first)
    assert isinstance(other, usb.backend.libusb1._LibUSB)
    assert other.lib is first.lib
    assert other.ctx.value != first.ctx.value


@pytest.mark.trio
async def test_little_room_in_the_kernel_makes_it_narrow_not_wrong(bench: Bench) -> None:
    bench.wire.room = 2
    pipe = await bench.pipe()
    told: list[bytes | memoryview] = []
    await span(pipe, 512 * 20, told)
    assert b"".join(told) == bytes(512 * 20)
    await pipe.aclose()


@pytest.mark.trio
async def test_memory_that_neighbours_took_is_waited_for(bench: Bench) -> None:
    pipe = await bench.pipe()
    told: list[bytes | memoryview] = []
    with trio.fail_after(5):
        bench.wire.crowded = 3
        await pipe.write(b"hello", zlp=False, timeout_s=1.0)
        bench.wire.crowded = 3
        assert await pipe.read(512, 1.0) == b"hello"
        bench.wire.crowded = 3
        await span(pipe, 512 * 20, told)
    assert b"".join(told) == bytes(512 * 20)
    await pipe.aclose()


@pytest.mark.trio
async def test_memory_that_never_comes_ends_with_what_to_do(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usb_room, "LEAST_S", 0.0)
    pipe = await bench.pipe()
    bench.wire.room = 0
    with trio.fail_after(5):
        with pytest.raises(NoUsbMemory, match="usbfs_memory_mb") as caught:
            await span(pipe, 512, [], timeout_s=0.05)
        with pytest.raises(NoUsbMemory, match="usbfs_memory_mb"):
            await pipe.read(512, 0.05)
    assert "usbfs_memory_mb" in caught.value.remedy
    assert "station doctor" in caught.value.remedy
    await pipe.aclose()


@pytest.mark.trio
@pytest.mark.parametrize("zlp", [True, False])
async def test_long_chunks_are_several_transfers_to_the_kernel(bench: Bench, zlp: bool) -> None:
    """All of full packets; the empty one comes behind the last part of each chunk only."""
    bench.module = Loopback(busy_s=0.02)
    bench.fake.plug(bench.port, bench.module)
    pipe = await bench.pipe()
    image = bytes(range(256)) * (4096 * 3 + 2)
    told: list[bytes | memoryview] = []
    await pipe.write_span(
        BytesSource("a.bin", image),
        0,
        len(image),
        chunk_bytes=1 << 20,
        zlp=zlp,
        timeout_s=5.0,
        sent=told.append,
    )
    assert bench.wire.most_under_way == usb_burst.IN_FLIGHT_BYTES // usb_burst.PART_BYTES == 4
    got = [data for _, data in bench.module.received]
    part = usb_burst.PART_BYTES
    ends = [0] if zlp else []
    assert [len(data) for data in got] == [*([part] * 8 + ends) * 3, 512, *ends]
    assert b"".join(got) == b"".join(told) == image
    await pipe.aclose()


@pytest.mark.trio
async def test_the_wire_is_busy_while_the_next_piece_is_read(bench: Bench) -> None:
    bench.module.busy_s = 0.05
    pipe = await bench.pipe()
    under_way: list[int] = []

    class Watched(BytesSource):
        def pread(self, offset_bytes: int, length_bytes: int) -> bytes:
            under_way.append(bench.wire.under_way)
            return super().pread(offset_bytes, length_bytes)

    await pipe.write_span(
        Watched("a.bin", bytes(2 << 20)),
        0,
        2 << 20,
        chunk_bytes=1 << 20,
        zlp=True,
        timeout_s=5.0,
        sent=None,
    )
    assert [count > 1 for count in under_way] == [False, True]
    await pipe.aclose()


@pytest.mark.trio
async def test_a_stalled_endpoint_is_cleared_once_and_told(bench: Bench) -> None:
    pipe = await bench.pipe()
    bench.fake.halted = {0x01, 0x81}
    with pytest.raises(UsbStall):
        await pipe.write(b"x", zlp=False, timeout_s=1.0)
    assert bench.fake.halted == {0x81}
    with pytest.raises(UsbStall):
        await pipe.read(512, 1.0)
    await pipe.write(b"y", zlp=False, timeout_s=1.0)
    assert await pipe.read(512, 1.0) == b"y"
    await pipe.aclose()


@pytest.mark.trio
async def test_silence_in_a_span_is_a_timeout(bench: Bench) -> None:
    bench.module.busy_s = 3600.0
    pipe = await bench.pipe()
    told: list[bytes | memoryview] = []
    with trio.fail_after(5), pytest.raises(Timeout, match=r"1-4\.2"):
        await span(pipe, 512 * 20, told, timeout_s=0.3)
    assert b"".join(told) == bytes(512)
    await pipe.aclose()


class Hanging:
    """An image on a disk that gives its first piece, and no more until it is `back`."""

    name, sha256 = "update/boot.mbn", "0" * 64
    length_bytes = 2 * SPAN_BYTES

    def __init__(self) -> None:
        self.back = threading.Event()

    def pread(self, offset_bytes: int, length_bytes: int) -> bytes:
        if offset_bytes:
            self.back.wait(30)
        return bytes(length_bytes)


@pytest.mark.trio
async def test_a_disk_that_hangs_amid_an_image_is_not_the_units_fault(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "STORE_S", 0.05)
    pipe, source = await bench.pipe(), Hanging()
    told: list[bytes | memoryview] = []
    with trio.fail_after(5), pytest.raises(StationOverdue, match=r"update/boot\.mbn could not be"):
        await pipe.write_span(
            source,
            0,
            source.length_bytes,
            chunk_bytes=1 << 20,
            zlp=False,
            timeout_s=5.0,
            sent=told.append,
        )
    assert bench.wire.under_way == 0
    assert 0 < len(b"".join(told)) <= SPAN_BYTES
    with trio.fail_after(5):
        await pipe.aclose()
    source.back.set()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usb_flight, "SETTLE_S", 0.05)
    monkeypatch.setattr(usb_locks, "SETTLE_S", 0.05)


@pytest.mark.trio
async def test_a_transfer_that_never_ends_is_never_freed(bench: Bench, hasty: None) -> None:
    pipe = await bench.pipe()
    bench.wire.is_stuck = True
    with trio.fail_after(5):
        with pytest.raises(UsbBroken, match="did not end"):
            await pipe.read(512, 0.01)
        with pytest.raises(UsbBroken, match="did not end"):
            await pipe.read(512, 0.01)
        await pipe.aclose()
    assert bench.wire.alive == 1


@pytest.mark.trio
async def test_after_that_nobody_waits_again(bench: Bench, hasty: None) -> None:
    pipe = await bench.pipe()
    bench.wire.is_stuck = True
    with pytest.raises(UsbBroken):
        await pipe.read(512, 0.01)
    with trio.fail_after(5), pytest.raises(UsbBroken):
        await pipe.read(512, 60.0)
    await pipe.aclose()


@pytest.mark.trio
async def test_an_answer_that_is_there_is_found_while_another_device_is_locked() -> None:
    bench = Bench(PortPath(1, (4, 3)))
    first, second = sorted(await bench.backend.scan(), key=lambda device: device.path)
    at = await bench.backend.open(first, 2, line_state=False)
    other = await bench.backend.open(second, 0, line_state=False)
    handle, pump = bench.fake._seats[0].owners[2], pump_of(bench.wire)
    lane = InLane(pump, Opened.of(handle, first), Endpoint(0x87, 3, 10), "1-4.2 interface 2")
    with pytest.raises(Timeout):
        await lane.read(10, 0)
    bench.wire.lets_go.clear()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_in_vain, other)
        while not pump.locks:  # noqa: ASYNC110 - a recall rings no bell
            await trio.sleep(0.001)  # a poll, until it is under way
        flying = bench.wire.under_way
        bench.wire.interrupt(handle.seat, b"\xa1\x20")
        assert until(lambda: bench.wire.under_way < flying), "it ends, and trio has had no turn"
        assert await lane.read(10, 0) == b"\xa1\x20"
        bench.wire.lets_go.set()
    lane.free()
    await at.aclose()
    await other.aclose()


async def _in_vain(pipe: Pipe) -> None:
    with contextlib.suppress(Timeout, UsbBroken):
        await pipe.read(512, 0.01)


@pytest.mark.trio
async def test_what_ended_before_the_events_failed_has_ended(bench: Bench) -> None:
    pipe = await bench.pipe()
    bench.wire.fails_after_events = 1
    with trio.fail_after(5):
        await pipe.write(b"hello", zlp=False, timeout_s=60.0)
    await pipe.aclose()


@pytest.mark.trio
async def test_what_ends_after_all_is_not_recalled_again(bench: Bench, hasty: None) -> None:
    bench.wire.is_stuck = True
    pipe = await bench.pipe()
    with pytest.raises(UsbBroken):
        await span(pipe, 512 * 20, [], timeout_s=0.01)
    bench.wire.end_all()
    with trio.fail_after(5):
        while not pump_of(bench.wire).look():  # noqa: ASYNC110 - a recall rings no bell
            await trio.sleep(0.001)  # a poll, until its thread has ended
    recalled = bench.wire.recalled
    await pipe.aclose()
    assert bench.wire.recalled == recalled


@pytest.mark.trio
async def test_a_recall_that_does_not_end_bars_its_device_and_no_other(hasty: None) -> None:
    bench = Bench(PortPath(1, (4, 3)))
    first, second = sorted(await bench.backend.scan(), key=lambda device: device.path)
    pipe = await bench.backend.open(first, 0, line_state=False)
    beside = await bench.backend.open(first, 2, line_state=False)
    bench.wire.lets_go.clear()
    with trio.fail_after(5):
        for refused in (pipe.read(512, 0.01), beside.write(b"x", zlp=False, timeout_s=1.0)):
            with pytest.raises(UsbBroken, match="did not end"):
                await refused
        with pytest.raises(UsbBroken, match="did not end"):
            await bench.backend.open(first, 3, line_state=False)
        with pytest.raises(UsbBroken, match="did not end"):
            await bench.backend.reset(first)
        assert await bench.backend.product(first) is None

        other = await bench.backend.open(second, 0, line_state=False)
        await other.write(b"hello", zlp=False, timeout_s=1.0)
        assert await other.read(512, 1.0) == b"hello"

        await pipe.aclose()
        await beside.aclose()
        assert bench.fake.open_handles == 3, "what is closed there would wait for ever"
        bench.wire.lets_go.set()
        locks = pump_of(bench.wire).locks
        while locks.is_taken(enumeration_of(first)):
            with contextlib.suppress(UsbBroken):
                await locks.released(enumeration_of(first), "test")
        assert bench.fake.open_handles == 1
        again = await bench.backend.open(first, 0, line_state=False)
        await again.write(b"again", zlp=False, timeout_s=1.0)
        await again.aclose()
        await other.aclose()


@pytest.mark.trio
async def test_a_reset_that_the_kernel_never_ends_is_given_up(
    bench: Bench, hasty: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(libusb, "RESET_S", 0.05)
    (device,) = await bench.backend.scan()
    bench.fake.resets_end.clear()
    with trio.fail_after(5):
        for _ in range(2):
            with pytest.raises(UsbBroken, match=r"reset 1-4\.2: the kernel did not end"):
                await bench.backend.reset(device)
    bench.fake.resets_end.set()
    locks = pump_of(bench.wire).locks
    while locks.is_taken(enumeration_of(device)):
        with contextlib.suppress(UsbBroken):
            await locks.released(enumeration_of(device), "test")
    assert bench.fake.open_handles == 0
    await bench.backend.reset(device)


def test_one_backend_in_several_runs(bench: Bench) -> None:
    async def echo() -> bytes:
        pipe = await bench.pipe()
        await pipe.write(b"hello", zlp=False, timeout_s=1.0)
        data = await pipe.read(512, 1.0)
        await pipe.aclose()
        return data

    assert [trio.run(echo), trio.run(echo)] == [b"hello", b"hello"]


@pytest.mark.trio
async def test_an_interrupt_endpoint_is_read_the_same_way(bench: Bench) -> None:
    pipe = await bench.pipe()
    (device,) = await bench.backend.scan()
    at = await bench.backend.open(device, 2, line_state=False)
    handle = bench.fake._seats[0].owners[2]
    lane = InLane(
        pump_of(bench.wire), Opened.of(handle, device), Endpoint(0x87, 3, 10), "1-4.2 interface 2"
    )
    bench.wire.interrupt(handle.seat, b"\xa1\x20")
    with trio.fail_after(5):
        assert await lane.read(10, 1.0) == b"\xa1\x20"
        with pytest.raises(Timeout):
            await lane.read(10, 0.01)
    lane.free()
    await at.aclose()
    await pipe.aclose()


# --- libusb's ABI -----------------------------------------------------------------------------


def test_the_transfer_is_laid_out_as_in_libusb_h() -> None:
    struct = libusb_wire.TransferStruct
    offsets = [getattr(struct, name).offset for name, *_ in struct._fields_]
    assert offsets == [0, 8, 9, 10, 12, 16, 20, 24, 32, 40, 48, 56]


def test_libusb_itself_without_a_device() -> None:
    wire = libusb_wire.libusb_wire(wheel_libusb())
    assert wire is not None
    assert wire is libusb_wire.libusb_wire(wheel_libusb())
    assert wire.has_timers()
    assert wire.descriptors()
    wire.handle_events()
    transfer = libusb_wire.LibusbTransfer(wire._library, wire._waiting, None, 0x81, 2, lambda: None)
    transfer.cancel()  # not under way: refused, and no harm
    assert (transfer.status, transfer.actual_bytes) == (-1, 0)
    transfer.free()


def test_descriptors_come_and_go_from_any_thread() -> None:
    wire = libusb_wire.libusb_wire(wheel_libusb())
    assert wire is not None
    ours = os.eventfd(1)
    context = wire._context
    worker = threading.Thread(target=libusb_wire._added, args=(ours, select.POLLIN, context))
    worker.start()
    worker.join()
    assert select.select([wire.fileno()], [], [], 1.0)[0]
    libusb_wire._removed(ours, context)
    libusb_wire._removed(ours, context)
    assert not select.select([wire.fileno()], [], [], 0.0)[0]
    os.close(ours)


# --- strings ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\x06\x03A\0B\0", "AB"),
        (b"\x04\x03A\0B\0", "A"),
        (b"\x02\x03", None),
        (b"", None),
        (b"\x06\x03A\0", None),
        (b"\x05\x03A\0B", None),
        (b"\x04\x02A\0", None),
        (b"\x04\x03\x00\xd8", None),
    ],
)
def test_string_descriptors(data: bytes, text: str | None) -> None:
    assert parse_string(data) == text


@pytest.mark.parametrize("data", [b"", b"\x02\x03", b"\x04\x02\x09\x04", b"\x00\x03\x09\x04"])
def test_no_language(data: bytes) -> None:
    assert parse_languages(data) is None
