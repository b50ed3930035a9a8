"""What only the real USB side can get wrong: configuration, kernel drivers, errno, clean-up."""

import errno
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import libusb_package
import pytest
import trio
import usb.backend.libusb1
import usb.core
from trio.testing import wait_all_tasks_blocked

from station.errors import (
    Disconnected,
    Nak,
    NoDescriptors,
    NoUsbMemory,
    Timeout,
    UsbAccess,
    UsbBroken,
    UsbBusy,
    UsbError,
    UsbStall,
    UsbUnavailable,
)
from station.flash.pump import pump
from station.model import DeviceInfo, PortPath
from station.protocols.dialogue import BytesSource
from station.protocols.firehose_talk import Talk
from station.protocols.firehose_transfer import send_image
from station.sim.port import SimPort
from station.transport.libusb import LibusbBackend
from station.transport.usb_errors import usb_error
from tests.fakes.descriptors import starved
from tests.fakes.pyusb_backend import Control, FakePyusb, Node
from tests.fakes.usb_wire import FakeWire
from tests.protocols.firehose_words import NAK, log
from tests.transport.loopback import AT, DIAG, EDL, MUTE, Loopback


class Bench:
    """One port with a module in it, and the station over synchronous or asynchronous libusb."""

    def __init__(self, *, asynchronous: bool) -> None:
        self.port = SimPort(PortPath(1, (4, 2)), PortPath(2, (4, 2)))
        self.fake = FakePyusb([self.port])
        self.module = Loopback()
        self.wire = FakeWire(self.fake) if asynchronous else None
        self.backend = LibusbBackend(self.fake, wire=self.wire)
        self.fake.plug(self.port, self.module)

    async def device(self) -> DeviceInfo:
        (device,) = await self.backend.scan()
        return device


@pytest.fixture(params=[False, True], ids=["threads", "async"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    bench = Bench(asynchronous=request.param)
    yield bench
    if bench.wire is not None:
        assert (bench.wire.alive, bench.wire.under_way) == (0, 0), "transfers were left behind"


# --- configuration and drivers ----------------------------------------------------------------


@pytest.mark.trio
async def test_a_configured_module_is_never_configured(bench: Bench) -> None:
    device = await bench.device()
    pipe = await bench.backend.open(device, 2, line_state=True)
    await pipe.write(b"AT\r", zlp=False, timeout_s=1.0)
    await pipe.read(512, 1.0)
    await bench.backend.product(device)
    await pipe.aclose()

    assert bench.fake.configurations_set == []
    assert bench.fake.controls == [Control(device.path, 0x21, 0x22, 3, 2)]
    assert bench.fake.open_handles == 0


@pytest.mark.trio
async def test_an_unconfigured_module_gets_configuration_one(bench: Bench) -> None:
    bench.fake.unconfigure(bench.port)
    pipe = await bench.backend.open(await bench.device(), 0, line_state=False)
    await pipe.aclose()

    assert bench.fake.configurations_set == [1]


@pytest.mark.trio
async def test_the_kernel_driver_is_sent_away(bench: Bench) -> None:
    bench.fake.bind_kernel_driver(bench.port, 0)
    bench.fake.bind_kernel_driver(bench.port, 2)
    pipe = await bench.backend.open(await bench.device(), 2, line_state=False)
    await pipe.aclose()

    assert bench.fake.detached == [2]
    assert bench.fake.attached == [2]


@pytest.mark.trio
async def test_the_kernel_driver_comes_back_only_where_it_was(bench: Bench) -> None:
    bench.fake.bind_kernel_driver(bench.port, 2)
    device = await bench.device()
    diag = await bench.backend.open(device, 0, line_state=False)
    at = await bench.backend.open(device, 2, line_state=False)
    assert bench.fake.attached == []
    await diag.aclose()
    assert bench.fake.attached == []
    await at.aclose()
    await at.aclose()
    assert bench.fake.attached == [2]

    again = await bench.backend.open(device, 2, line_state=False)
    await again.aclose()
    assert bench.fake.detached == [2, 2]


@pytest.mark.trio
@pytest.mark.parametrize("leaves", [False, True])
async def test_a_kernel_driver_that_cannot_come_back(bench: Bench, leaves: bool) -> None:
    bench.fake.bind_kernel_driver(bench.port, 2)
    pipe = await bench.backend.open(await bench.device(), 2, line_state=False)
    if leaves:
        bench.fake.unplug(bench.port)
    else:
        bench.fake.failures["attach_kernel_driver"] = errno.EBUSY
    await pipe.aclose()

    assert bench.fake.attached == []
    assert bench.fake.open_handles == 0


@pytest.mark.trio
async def test_the_kernel_driver_comes_back_after_an_opening_that_fails(bench: Bench) -> None:
    bench.fake.bind_kernel_driver(bench.port, 2)
    bench.fake.failures["claim_interface"] = errno.EBUSY

    with pytest.raises(UsbBusy):
        await bench.backend.open(await bench.device(), 2, line_state=False)
    assert bench.fake.attached == [2]
    assert bench.fake.open_handles == 0


@pytest.mark.trio
async def test_a_kernel_driver_that_left_by_itself(bench: Bench) -> None:
    bench.fake.failures["is_kernel_driver_active"] = errno.ENOENT
    pipe = await bench.backend.open(await bench.device(), 0, line_state=False)
    await pipe.aclose()


class NoDriverQuestions(FakePyusb):
    """A system where libusb cannot tell who drives an interface."""

    def is_kernel_driver_active(self, dev_handle: object, intf: int) -> bool:
        raise NotImplementedError


@pytest.mark.trio
async def test_a_system_that_knows_no_kernel_drivers(bench: Bench) -> None:
    backend = LibusbBackend(NoDriverQuestions([bench.port]))
    (device,) = await backend.scan()
    pipe = await backend.open(device, 0, line_state=False)
    await pipe.aclose()


@pytest.mark.trio
@pytest.mark.parametrize("number", [errno.EPIPE, errno.ETIMEDOUT, errno.EBUSY, errno.EINVAL])
async def test_a_port_without_line_state_needs_none(bench: Bench, number: int) -> None:
    bench.fake.failures["ctrl_transfer"] = number
    pipe = await bench.backend.open(await bench.device(), 0, line_state=True)
    await pipe.write(b"x", zlp=False, timeout_s=1.0)
    await pipe.aclose()

    assert bench.fake.controls == []


@pytest.mark.trio
@pytest.mark.parametrize(
    ("method", "number", "kind"),
    [
        ("open_device", errno.EACCES, UsbAccess),
        ("open_device", errno.ENODEV, Disconnected),
        ("is_kernel_driver_active", errno.EIO, Disconnected),
        ("claim_interface", errno.EBUSY, UsbBusy),
        ("ctrl_transfer", errno.ENODEV, Disconnected),
        ("ctrl_transfer", errno.EACCES, UsbAccess),
        ("ctrl_transfer", errno.EIO, Disconnected),
    ],
)
async def test_an_opening_that_fails_leaves_nothing_open(
    bench: Bench, method: str, number: int, kind: type[UsbError]
) -> None:
    device = await bench.device()
    bench.fake.failures[method] = number

    with pytest.raises(kind, match=r"1-4\.2 interface 2"):
        await bench.backend.open(device, 2, line_state=True)
    assert bench.fake.open_handles == 0
    pipe = await bench.backend.open(device, 2, line_state=True)
    await pipe.aclose()


@pytest.mark.trio
async def test_a_station_without_descriptors_is_no_broken_wire(bench: Bench) -> None:
    """libusb tells both by the same number."""
    device = await bench.device()
    bench.fake.failures["open_device"] = errno.EIO
    with starved(), pytest.raises(NoDescriptors, match=r"1-4\.2 interface 2"):
        await bench.backend.open(device, 2, line_state=True)
    bench.fake.failures["open_device"] = errno.EIO
    with pytest.raises(Disconnected):
        await bench.backend.open(device, 2, line_state=True)


# --- enumeration ------------------------------------------------------------------------------


@pytest.mark.trio
async def test_hubs_are_not_modules(bench: Bench) -> None:
    everything = list(usb.core.find(find_all=True, backend=bench.fake))

    assert len(everything) == 5  # two root hubs, a hub below each, one module
    assert [str(device.path) for device in await bench.backend.scan()] == ["1-4.2"]


@pytest.mark.trio
async def test_an_unreadable_module_is_shown_without_interfaces(bench: Bench) -> None:
    bench.fake.failures["get_configuration_descriptor"] = errno.EIO
    first = await bench.device()
    second = await bench.device()

    assert first.usb_id == "2c7c:0125"
    assert first.interfaces == ()
    assert second.interfaces == (DIAG, AT, MUTE)
    assert second.generation == first.generation


@pytest.mark.trio
async def test_gone_and_back_between_two_scans(bench: Bench) -> None:
    first = await bench.device()
    bench.fake.unplug(bench.port)
    bench.fake.plug(bench.port, bench.module)
    second = await bench.device()

    assert second.generation != first.generation
    assert (second.path, second.usb_id) == (first.path, first.usb_id)


class OneAddress(FakePyusb):
    """A host controller that gives every enumeration the same address."""

    def get_device_descriptor(self, dev: Node) -> SimpleNamespace:
        descriptor = super().get_device_descriptor(dev)
        descriptor.address = 7
        return descriptor


@pytest.mark.trio
async def test_an_address_used_again_does_not_hide_a_departure() -> None:
    port = SimPort(PortPath(1, (1,)))
    fake = OneAddress([port])
    backend = LibusbBackend(fake)
    fake.plug(port, Loopback())
    (first,) = await backend.scan()
    fake.unplug(port)
    assert await backend.scan() == ()
    fake.plug(port, Loopback())
    (second,) = await backend.scan()

    assert second.generation != first.generation


@pytest.mark.trio
async def test_a_bus_that_cannot_be_read(bench: Bench) -> None:
    bench.fake.failures["enumerate_devices"] = errno.EACCES

    with pytest.raises(UsbAccess):
        await bench.backend.scan()


@pytest.mark.trio
async def test_no_product_string(bench: Bench) -> None:
    device = await bench.device()
    bench.fake.failures["open_device"] = errno.EACCES
    assert await bench.backend.product(device) is None
    bench.fake.failures["ctrl_transfer"] = errno.EPIPE
    assert await bench.backend.product(device) is None

    pipe = await bench.backend.open(device, 0, line_state=False)
    await pipe.write(b"edl", zlp=False, timeout_s=1.0)
    await pipe.aclose()
    with trio.fail_after(5):
        while device.vid != EDL.vid:
            await bench.backend.wait_change(0.01)
            device = next(iter(await bench.backend.scan()), device)
    assert await bench.backend.product(device) is None
    assert bench.fake.open_handles == 0


@pytest.mark.trio
async def test_a_product_string_that_is_no_string(bench: Bench) -> None:
    device = await bench.device()
    bench.fake.strings[2] = b"\x04\x02A\0"
    assert await bench.backend.product(device) is None
    bench.fake.strings[2] = b"\x06\x03A\0B\0"
    assert await bench.backend.product(device) == "AB"
    assert bench.fake.open_handles == 0


def loaded_libraries() -> str:
    """What the kernel has mapped into this process."""
    return Path("/proc/self/maps").read_text(encoding="utf-8")


@pytest.mark.trio
async def test_libusb_comes_with_the_wheel() -> None:
    backend = LibusbBackend()
    assert isinstance(await backend.scan(), tuple)
    library = libusb_package.get_library_path()
    assert library is not None
    assert str(library.resolve()) in loaded_libraries()


def test_without_libusb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usb.backend.libusb1, "get_backend", lambda **_: None)

    with pytest.raises(UsbUnavailable, match="libusb-package"):
        LibusbBackend()


# --- transfers --------------------------------------------------------------------------------


@pytest.mark.trio
@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.EPIPE, UsbStall), (errno.ETIMEDOUT, Timeout), (errno.EIO, Disconnected)],
)
async def test_a_write_that_fails(bench: Bench, number: int, kind: type[UsbError]) -> None:
    pipe = await bench.backend.open(await bench.device(), 0, line_state=False)
    bench.fake.failures["bulk_write"] = number

    with pytest.raises(kind, match=r"write on 1-4\.2 interface 0"):
        await pipe.write(b"x", zlp=False, timeout_s=1.0)
    await pipe.write(b"y", zlp=False, timeout_s=1.0)  # the pipe is free for the next use
    await pipe.aclose()
    assert bench.module.received == [(0, b"y")]
    assert bench.fake.open_handles == 0


@pytest.mark.trio
@pytest.mark.parametrize(
    ("number", "kind"), [(errno.EPIPE, UsbStall), (errno.EOVERFLOW, UsbBroken)]
)
async def test_a_read_that_fails(bench: Bench, number: int, kind: type[UsbError]) -> None:
    pipe = await bench.backend.open(await bench.device(), 0, line_state=False)
    bench.fake.failures["bulk_read"] = number

    with pytest.raises(kind, match=r"read on 1-4\.2 interface 0"):
        await pipe.read(512, 1.0)
    await pipe.aclose()
    assert bench.fake.open_handles == 0


@pytest.mark.trio
async def test_a_stalled_endpoint_is_cleared_once_and_told(bench: Bench) -> None:
    pipe = await bench.backend.open(await bench.device(), 0, line_state=False)
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
async def test_a_short_write_is_a_timeout(bench: Bench) -> None:
    pipe = await bench.backend.open(await bench.device(), 0, line_state=False)
    bench.fake.shorten_next_write_bytes = 512
    told: list[bytes | memoryview] = []

    with pytest.raises(Timeout, match=r"1-4\.2 interface 0: 512 of 1024 bytes were taken"):
        await pipe.write_span(
            BytesSource("a.bin", bytes(1024)),
            0,
            1024,
            chunk_bytes=1024,
            zlp=True,
            timeout_s=1.0,
            sent=told.append,
        )
    assert told == []
    await pipe.aclose()


@pytest.mark.trio
async def test_a_short_write_is_explained_by_a_nak(bench: Bench) -> None:
    pipe = await bench.backend.open(await bench.device(), 0, line_state=False)
    said = log(b"ERROR: no good block left") + NAK
    await pipe.write(said, zlp=False, timeout_s=1.0)  # it echoes: that is what waits to be read
    bench.fake.shorten_next_write_bytes = 512
    image = BytesSource("sbl1.mbn", bytes(8192))
    dialogue = send_image(
        Talk(b"", zlp=True),
        "program sbl1.mbn",
        image,
        8192,
        payload_bytes=8192,
        zlp=True,
        timeout_s=1.0,
    )

    with trio.fail_after(5), pytest.raises(Nak, match="ERROR: no good block left"):
        await pump(dialogue, pipe, lambda _: None)
    await pipe.aclose()


@pytest.mark.trio
async def test_a_module_that_takes_nothing(bench: Bench) -> None:
    bench.module.busy_s = 3600.0
    pipe = await bench.backend.open(await bench.device(), 0, line_state=False)
    await pipe.write(b"buffered", zlp=False, timeout_s=0.01)

    with trio.fail_after(5), pytest.raises(Timeout, match=r"1-4\.2"):
        await pipe.write(b"too much", zlp=False, timeout_s=0.01)
    await pipe.aclose()


@pytest.mark.trio
async def test_two_tasks_at_one_pipe(bench: Bench) -> None:
    pipe = await bench.backend.open(await bench.device(), 0, line_state=False)

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pipe.read, 512, 3600.0)
            await wait_all_tasks_blocked()
            with pytest.raises(trio.BusyResourceError, match=r"1-4\.2"):
                await pipe.write(b"x", zlp=False, timeout_s=1.0)
            nursery.cancel_scope.cancel()
    await pipe.aclose()
    assert bench.module.received == []


@pytest.mark.trio
async def test_silence_names_the_place(bench: Bench) -> None:
    pipe = await bench.backend.open(await bench.device(), 0, line_state=False)

    with pytest.raises(Timeout, match=r"1-4\.2 interface 0.* 0\.02 s"):
        await pipe.read(512, 0.02)
    await pipe.aclose()


@pytest.mark.trio
async def test_a_read_must_be_whole_packets(bench: Bench) -> None:
    pipe = await bench.backend.open(await bench.device(), 0, line_state=False)

    with pytest.raises(ValueError, match="500"):
        await pipe.read(500, 1.0)
    await pipe.aclose()


@pytest.mark.trio
async def test_reading_through_several_slices(bench: Bench) -> None:
    """A wait longer than one thread call still ends on the answer."""
    pipe = await bench.backend.open(await bench.device(), 0, line_state=False)
    bench.module.busy_s = 0.6
    with trio.fail_after(5):
        await pipe.write(b"late", zlp=False, timeout_s=1.0)
        assert await pipe.read(512, 3.0) == b"late"
    await pipe.aclose()


@pytest.mark.trio
async def test_full_packets_without_an_end_are_not_lost(bench: Bench) -> None:
    """Only the time-out ends such a read; what had arrived by then is its answer."""
    pipe = await bench.backend.open(await bench.device(), 0, line_state=False)
    await pipe.write(b"x" * 512, zlp=False, timeout_s=1.0)
    await pipe.write(b"y" * 512, zlp=False, timeout_s=1.0)

    assert await pipe.read(4096, 0.05) == b"x" * 512 + b"y" * 512
    await pipe.aclose()


# --- errno ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (usb.core.USBError("x", errno=errno.ENODEV), Disconnected, "gone"),
        (usb.core.USBError("x", errno=errno.EIO), Disconnected, "wire"),
        (usb.core.USBError("x", errno=errno.EPROTO), Disconnected, "wire"),
        (usb.core.USBError("x", error_code=-71), Disconnected, "wire"),
        (usb.core.USBTimeoutError("x", errno=errno.ETIMEDOUT), Timeout, "in time"),
        (usb.core.USBTimeoutError("x"), Timeout, "in time"),
        (usb.core.USBError("x", errno=errno.EBUSY), UsbBusy, "another program"),
        (usb.core.USBError("x", errno=errno.EACCES), UsbAccess, "denies"),
        (usb.core.USBError("x", errno=errno.EPERM), UsbAccess, "denies"),
        (usb.core.USBError("x", errno=errno.EPIPE), UsbStall, "stalled"),
        (usb.core.USBError("x", errno=errno.EOVERFLOW), UsbBroken, "more than"),
        (usb.core.USBError("x", errno=errno.ENOMEM), NoUsbMemory, "usbfs_memory_mb"),
        (usb.core.USBError("odd", error_code=-99), UsbBroken, "odd"),
        (usb.core.USBError("odd", errno=errno.EINVAL), UsbBroken, "odd"),
        (usb.core.USBError("odd"), UsbBroken, "odd"),
        (usb.core.NoBackendError("x"), UsbUnavailable, "libusb"),
        (NotImplementedError("x"), UsbAccess, "driver"),
        (ValueError("odd"), UsbBroken, "odd"),
    ],
)
def test_errors_in_the_words_of_the_station(
    error: Exception, kind: type[UsbError], said: str
) -> None:
    translated = usb_error(error, "read on 1-4.2 interface 0")

    assert type(translated) is kind
    assert translated.cause.startswith("read on 1-4.2 interface 0: ")
    assert said in translated.cause
