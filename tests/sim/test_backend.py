"""The in-process backend under a clock that jumps: no test here waits for real."""

import math
from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from station.errors import (
    Disconnected,
    FileChanged,
    Timeout,
    UsbBroken,
    UsbBusy,
    UsbClosed,
)
from station.model import DeviceInfo, PortPath, Slot
from station.protocols.dialogue import BytesSource
from station.sim.backend import SimBackend, SimPipe
from station.sim.port import SimPort
from station.sim.tray import SimTray, make_tray
from tests.mock_time import time_passes
from tests.transport.loopback import Loopback

pytestmark = pytest.mark.trio
A, B = (PortPath.parse(path) for path in ("1-1", "1-2"))


def world(*modules: Loopback) -> tuple[SimBackend, list[SimPort]]:
    ports = [SimPort(PortPath(1, (number + 1,))) for number in range(len(modules))]
    backend = SimBackend(ports)
    for port, module in zip(ports, modules, strict=True):
        backend.plug(port, module)
    return backend, ports


async def opened(backend: SimBackend, interface: int = 0) -> tuple[SimPipe, DeviceInfo]:
    (device, *_) = await backend.scan()
    return await backend.open(device, interface, line_state=False), device


async def elapsed_s(action: Callable[[], Awaitable[object]]) -> float:
    started_s = trio.current_time()
    await action()
    return trio.current_time() - started_s


async def test_scan_shows_who_is_there(autojump_clock: trio.testing.MockClock) -> None:
    backend, ports = world(Loopback(), Loopback())
    assert [device.path for device in await backend.scan()] == [A, B]
    backend.unplug(ports[0])
    (device,) = await backend.scan()
    assert (device.path, device.usb_id, device.generation) == (B, "2c7c:0125", 1)
    assert await backend.product(device) == "Loopback"


async def test_a_transfer_goes_out_and_its_answer_comes_in(
    autojump_clock: trio.testing.MockClock,
) -> None:
    module = Loopback(busy_s=0.5)
    backend, _ = world(module)
    pipe, _ = await opened(backend)
    await pipe.write(b"hello", zlp=True, timeout_s=1)
    assert await elapsed_s(lambda: pipe.read(512, 5)) == pytest.approx(0.5)
    assert module.received == [(0, b"hello")]


async def test_a_zero_packet_follows_only_a_full_last_packet(
    autojump_clock: trio.testing.MockClock,
) -> None:
    module = Loopback()
    backend, _ = world(module)
    pipe, _ = await opened(backend)
    await pipe.write(b"x" * 512, zlp=True, timeout_s=1)
    await pipe.write(b"x" * 512, zlp=False, timeout_s=1)
    await pipe.write(b"x" * 511, zlp=True, timeout_s=1)
    assert [len(data) for _, data in module.received] == [512, 0, 512, 511]


async def test_silence_ends_with_the_time_out_and_zero_asks_only_for_what_is_there(
    autojump_clock: trio.testing.MockClock,
) -> None:
    backend, _ = world(Loopback())
    pipe, _ = await opened(backend)

    async def silence() -> None:
        with pytest.raises(Timeout):
            await pipe.read(512, 3)

    assert await elapsed_s(silence) == pytest.approx(3)
    with pytest.raises(Timeout):
        await pipe.read(512, 0)
    await pipe.write(b"hello", zlp=False, timeout_s=1)
    assert await pipe.read(512, 0) == b"hello"
    await pipe.write(b"empty", zlp=False, timeout_s=1)
    assert await pipe.read(512, 0) == b""


async def test_a_cancelled_read_loses_nothing(autojump_clock: trio.testing.MockClock) -> None:
    backend, _ = world(Loopback(busy_s=1))
    pipe, _ = await opened(backend)
    await pipe.write(b"hello", zlp=False, timeout_s=1)
    with trio.move_on_after(0.5) as scope:
        await pipe.read(512, 10)
    assert scope.cancelled_caught
    assert await pipe.read(512, 10) == b"hello"


async def test_a_span_is_cut_padded_and_reported(autojump_clock: trio.testing.MockClock) -> None:
    module = Loopback(busy_s=0.25)
    backend, _ = world(module)
    pipe, _ = await opened(backend)
    sent = bytearray()
    source = BytesSource("image", bytes(range(256)) * 5)

    async def span() -> None:
        await pipe.write_span(
            source, 256, 2048, chunk_bytes=512, zlp=True, timeout_s=9, sent=sent.extend
        )

    assert await elapsed_s(span) == pytest.approx(1.5)
    chunks = [data for _, data in module.received if data]
    assert [len(chunk) for chunk in chunks] == [512] * 4
    assert b"".join(chunks) == source.data[256:] + bytes(1024)
    assert [data for _, data in module.received].count(b"") == 4
    assert sent == source.data[256:]


async def test_a_source_that_got_shorter_is_told(autojump_clock: trio.testing.MockClock) -> None:
    class Shrunk(BytesSource):
        @property
        def length_bytes(self) -> int:
            return 9999

    backend, _ = world(Loopback())
    pipe, _ = await opened(backend)
    with pytest.raises(FileChanged):
        await pipe.write_span(
            Shrunk("image", b"x" * 600),
            0,
            1024,
            chunk_bytes=512,
            zlp=False,
            timeout_s=1,
            sent=None,
        )


async def test_a_write_waits_for_room_and_no_longer_than_its_time_out(
    autojump_clock: trio.testing.MockClock,
) -> None:
    module = Loopback(busy_s=2)
    backend, _ = world(module)
    pipe, _ = await opened(backend)
    await pipe.write(b"one", zlp=False, timeout_s=1)
    with pytest.raises(Timeout):
        await pipe.write(b"two", zlp=False, timeout_s=1)
    assert await elapsed_s(lambda: pipe.write(b"three", zlp=False, timeout_s=5)) == pytest.approx(1)
    assert [data for _, data in module.received] == [b"one", b"three"]


async def test_unplugging_wakes_a_read_at_once(autojump_clock: trio.testing.MockClock) -> None:
    backend, ports = world(Loopback())
    pipe, _ = await opened(backend)

    async def read() -> None:
        with pytest.raises(Disconnected):
            await pipe.read(512, math.inf)
        assert trio.current_time() == pytest.approx(started_s + 1)

    started_s = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await time_passes(1)
        backend.unplug(ports[0])


async def test_a_read_ends_exactly_when_the_module_leaves(
    autojump_clock: trio.testing.MockClock,
) -> None:
    tray = make_tray([Slot("A1", frozenset({A}))], size_mb=1)
    backend = plugged(tray)
    (device,) = await backend.scan()
    pipe = await backend.open(device, 0, line_state=True)
    await pipe.write(bytes.fromhex("4b650100540f7e"), zlp=False, timeout_s=1)
    left_s = trio.current_time() + 0.3
    assert await pipe.read(512, 1) == bytes.fromhex("4b650100540f7e")
    with pytest.raises(Disconnected):
        await pipe.read(512, 9)
    assert trio.current_time() == pytest.approx(left_s)
    with pytest.raises(Disconnected):
        await pipe.write(b"x", zlp=False, timeout_s=1)
    assert await backend.scan() == ()
    await backend.wait_change(60)
    assert trio.current_time() == pytest.approx(left_s + 1.5)
    assert [device.usb_id for device in await backend.scan()] == ["05c6:9008"]


def plugged(tray: SimTray) -> SimBackend:
    backend = SimBackend(list(tray.ports.values()))
    tray.plug(trio.current_time())
    return backend


async def test_wait_change_sees_plugging_and_is_never_late(
    autojump_clock: trio.testing.MockClock,
) -> None:
    backend, ports = world(Loopback())
    await backend.scan()
    assert await elapsed_s(lambda: backend.wait_change(7)) == pytest.approx(7)
    backend.unplug(ports[0])
    assert await elapsed_s(lambda: backend.wait_change(7)) == 0
    await backend.scan()

    async def plug_later() -> None:
        await time_passes(2)
        backend.plug(ports[0], Loopback())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(plug_later)
        assert await elapsed_s(lambda: backend.wait_change(7)) == pytest.approx(2)


async def test_a_departure_decided_while_waiting_wakes_the_waiter(
    autojump_clock: trio.testing.MockClock,
) -> None:
    backend, _ = world(Loopback(busy_s=3))
    pipe, _ = await opened(backend)

    async def leave_later() -> None:
        await time_passes(1)
        await pipe.write(b"edl", zlp=False, timeout_s=1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(leave_later)
        assert await elapsed_s(lambda: backend.wait_change(60)) == pytest.approx(4)


async def test_an_interface_is_claimed_once(autojump_clock: trio.testing.MockClock) -> None:
    backend, _ = world(Loopback())
    pipe, device = await opened(backend)
    with pytest.raises(UsbBusy):
        await backend.open(device, 0, line_state=False)
    await pipe.aclose()
    await pipe.aclose()
    again = await backend.open(device, 0, line_state=False)
    await again.write(b"hello", zlp=False, timeout_s=1)


async def test_a_closed_pipe_says_so(autojump_clock: trio.testing.MockClock) -> None:
    backend, _ = world(Loopback())
    pipe, _ = await opened(backend)
    await pipe.aclose()
    with pytest.raises(UsbClosed):
        await pipe.read(512, 1)
    with pytest.raises(UsbClosed):
        await pipe.write(b"x", zlp=False, timeout_s=1)


async def test_closing_ends_a_read_of_another_task(autojump_clock: trio.testing.MockClock) -> None:
    backend, _ = world(Loopback())
    pipe, _ = await opened(backend)

    async def read() -> None:
        with pytest.raises(UsbClosed):
            await pipe.read(512, math.inf)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        await pipe.aclose()


async def test_one_pipe_has_one_task(autojump_clock: trio.testing.MockClock) -> None:
    module = Loopback()
    backend, _ = world(module)
    pipe, _ = await opened(backend)
    source = BytesSource("image", bytes(512))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pipe.read, 512, 9999)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError, match="1-1 interface 0"):
            await pipe.read(512, 1)
        with pytest.raises(trio.BusyResourceError):
            await pipe.write(b"x", zlp=False, timeout_s=1)
        with pytest.raises(trio.BusyResourceError):
            await pipe.write_span(
                source, 0, 512, chunk_bytes=512, zlp=False, timeout_s=1, sent=None
            )
        nursery.cancel_scope.cancel()
    assert module.received == []
    await pipe.write(b"hello", zlp=False, timeout_s=1)


async def test_a_read_during_a_write_is_refused_too(
    autojump_clock: trio.testing.MockClock,
) -> None:
    backend, _ = world(Loopback(busy_s=5))
    pipe, _ = await opened(backend)
    await pipe.write(b"one", zlp=False, timeout_s=1)

    async def write() -> None:
        await pipe.write(b"two", zlp=False, timeout_s=9)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await pipe.read(512, 1)


async def test_a_read_that_is_not_whole_packets_is_a_mistake(
    autojump_clock: trio.testing.MockClock,
) -> None:
    backend, _ = world(Loopback())
    pipe, _ = await opened(backend)
    for size in (0, -512, 100, 513):
        with pytest.raises(ValueError, match="multiple of 512"):
            await pipe.read(size, 1)


async def test_causes_name_the_place(autojump_clock: trio.testing.MockClock) -> None:
    backend, _ = world(Loopback(busy_s=5))
    pipe, _ = await opened(backend)
    with pytest.raises(Timeout, match="read on 1-1 interface 0: nothing came within 1 s"):
        await pipe.read(512, 1)
    await pipe.write(b"one", zlp=False, timeout_s=1)
    with pytest.raises(Timeout, match=r"write on 1-1 interface 0: .* within 2 s"):
        await pipe.write(b"two", zlp=False, timeout_s=2)
    await pipe.aclose()
    with pytest.raises(UsbClosed, match="read on 1-1 interface 0: the pipe is already closed"):
        await pipe.read(512, 1)
    with pytest.raises(UsbClosed, match="write on 1-1 interface 0"):
        await pipe.write(b"x", zlp=False, timeout_s=1)


async def test_a_stale_device_cannot_be_opened(autojump_clock: trio.testing.MockClock) -> None:
    backend, ports = world(Loopback())
    (device,) = await backend.scan()
    backend.unplug(ports[0])
    backend.plug(ports[0], Loopback())
    with pytest.raises(Disconnected):
        await backend.open(device, 0, line_state=False)
    with pytest.raises(Disconnected):
        await backend.product(device)


async def test_an_interface_without_bulk_endpoints_cannot_be_opened(
    autojump_clock: trio.testing.MockClock,
) -> None:
    backend, _ = world(Loopback())
    (device,) = await backend.scan()
    for interface in (4, 9):
        with pytest.raises(UsbBroken):
            await backend.open(device, interface, line_state=False)


async def test_line_state_sets_dtr_and_rts(autojump_clock: trio.testing.MockClock) -> None:
    module = Loopback()
    backend, _ = world(module)
    (device,) = await backend.scan()
    await backend.open(device, 2, line_state=True)
    assert module.controls == [(0x21, 0x22, 3, 2)]
