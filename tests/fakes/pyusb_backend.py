"""A pyusb backend whose USB bus is a set of simulated ports: real threads, real time, no kernel.

Everything above `usb.backend.IBackend` is the real pyusb. Like the kernel it refuses what is not
claimed, tells a vanished device by ENODEV, and keeps descriptors of a device readable after it
left. Beside the ports there is a root hub on each bus, and the hubs between.
"""

import errno
import itertools
import threading
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace

import usb.backend
import usb.core

from station.errors import Disconnected
from station.model import DeviceInfo, Interface, PortPath
from station.sim.port import Module, SimPort

_HUB_CLASS = 0x09
_PRODUCT_INDEX = 2
_US_ENGLISH = 0x0409
_MAX_ADDRESS = 127
_NAP_S = 0.01


@dataclass(slots=True)
class Seat:
    """One port, and what the kernel would know of it. `changed` holds its lock."""

    port: SimPort
    changed: threading.Condition
    address: int = 0
    enumeration: int = -1
    configuration: int = 1
    owners: dict[int, "Handle"] = field(default_factory=dict)
    kernel_drivers: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Node:
    """What enumeration yields: a snapshot of descriptors. `seat` is None for hubs."""

    bus: int
    chain: tuple[int, ...]
    address: int
    seat: Seat | None = None
    info: DeviceInfo | None = None
    product: str | None = None


@dataclass(eq=False, slots=True)
class Handle:
    seat: Seat
    info: DeviceInfo
    product: str | None
    is_open: bool = True


@dataclass(frozen=True, slots=True)
class Control:
    """One control transfer to a module without a data stage."""

    path: PortPath
    request_type: int
    request: int
    value: int
    index: int


class FakePyusb(usb.backend.IBackend):  # type: ignore[misc]  # pyusb has no types
    """The bus over `ports`. Plug and pull modules by `plug` and `unplug`, from any thread.

    `failures` maps the name of a method to the errno its next call fails with. Endpoints in
    `halted` stall until their halt is cleared. `strings`: descriptors in place of the true ones.
    """

    def __init__(
        self, ports: Sequence[SimPort], clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self.failures: dict[str, int] = {}
        self.shorten_next_write_bytes = 0
        self.controls: list[Control] = []
        self.configurations_set: list[int] = []
        self.detached: list[int] = []
        self.attached: list[int] = []
        self.open_handles = 0
        self.resets_end = threading.Event()
        self.resets_end.set()
        self.halted: set[int] = set()
        self.strings: dict[int, bytes] = {}
        self._clock = clock
        self._seats = [Seat(port, threading.Condition(threading.RLock())) for port in ports]
        self._addresses = itertools.cycle(range(2, _MAX_ADDRESS + 1))

    # --- the hand at the tray -----------------------------------------------------------------

    def plug(self, port: SimPort, module: Module) -> None:
        seat = self._seat_of(port)
        with seat.changed:
            port.plug(module, self._clock())
            seat.changed.notify_all()

    def unplug(self, port: SimPort) -> None:
        seat = self._seat_of(port)
        with seat.changed:
            port.unplug()
            seat.changed.notify_all()

    def bind_kernel_driver(self, port: SimPort, interface: int) -> None:
        self._seat_of(port).kernel_drivers.add(interface)

    def unconfigure(self, port: SimPort) -> None:
        self._seat_of(port).configuration = 0

    def _seat_of(self, port: SimPort) -> Seat:
        return next(seat for seat in self._seats if seat.port is port)

    # --- enumeration --------------------------------------------------------------------------

    def enumerate_devices(self) -> Iterator[Node]:
        self._fail("enumerate_devices")
        hubs: set[tuple[int, tuple[int, ...]]] = set()
        for seat in self._seats:
            for path in (seat.port.high_speed, seat.port.super_speed):
                if path is not None:
                    hubs.update((path.bus, path.chain[:depth]) for depth in range(len(path.chain)))
        for bus, chain in sorted(hubs):
            yield Node(bus, chain, address=1)
        for seat in self._seats:
            with seat.changed:
                info = seat.port.device(self._clock())
                if info is None:
                    continue
                self._enumerate(seat, info)
                product = seat.port.face.product if seat.port.face else None
                node = Node(info.path.bus, info.path.chain, seat.address, seat, info, product)
            yield node

    def _enumerate(self, seat: Seat, info: DeviceInfo) -> None:
        if seat.enumeration == info.generation:
            return
        seat.enumeration = info.generation
        seat.owners.clear()
        seat.address = next(self._addresses)

    def get_device_descriptor(self, dev: Node) -> SimpleNamespace:
        self._fail("get_device_descriptor")
        return SimpleNamespace(
            bLength=18,
            bDescriptorType=1,
            bcdUSB=0x0200,
            bDeviceClass=0 if dev.info else _HUB_CLASS,
            bDeviceSubClass=0,
            bDeviceProtocol=0,
            bMaxPacketSize0=64,
            idVendor=dev.info.vid if dev.info else 0x1D6B,
            idProduct=dev.info.pid if dev.info else 0x0002,
            bcdDevice=0,
            iManufacturer=0,
            iProduct=_PRODUCT_INDEX if dev.product is not None else 0,
            iSerialNumber=0,
            bNumConfigurations=1,
            address=dev.address,
            bus=dev.bus,
            port_number=dev.chain[-1] if dev.chain else 0,
            port_numbers=dev.chain or None,
            speed=3,
        )

    def get_configuration_descriptor(self, dev: Node, config: int) -> SimpleNamespace:
        self._fail("get_configuration_descriptor")
        if config != 0:
            raise IndexError(config)
        return SimpleNamespace(
            bLength=9,
            bDescriptorType=2,
            wTotalLength=9,
            bNumInterfaces=len(_interfaces(dev)),
            bConfigurationValue=1,
            iConfiguration=0,
            bmAttributes=0x80,
            bMaxPower=250,
            extra_descriptors=b"",
        )

    def get_interface_descriptor(
        self, dev: Node, intf: int, alt: int, config: int
    ) -> SimpleNamespace:
        if alt != 0 or config != 0:
            raise IndexError(alt)
        interface = _interfaces(dev)[intf]
        return SimpleNamespace(
            bLength=9,
            bDescriptorType=4,
            bInterfaceNumber=interface.number,
            bAlternateSetting=0,
            bNumEndpoints=len(interface.endpoints),
            bInterfaceClass=interface.usb_class,
            bInterfaceSubClass=interface.usb_subclass,
            bInterfaceProtocol=interface.usb_protocol,
            iInterface=0,
            extra_descriptors=b"",
        )

    def get_endpoint_descriptor(
        self, dev: Node, ep: int, intf: int, alt: int, config: int
    ) -> SimpleNamespace:
        if alt != 0 or config != 0:
            raise IndexError(alt)
        endpoint = _interfaces(dev)[intf].endpoints[ep]
        return SimpleNamespace(
            bLength=7,
            bDescriptorType=5,
            bEndpointAddress=endpoint.address,
            bmAttributes=endpoint.transfer,
            wMaxPacketSize=endpoint.max_packet_bytes,
            bInterval=0,
            bRefresh=0,
            bSynchAddress=0,
            extra_descriptors=b"",
        )

    # --- handles ------------------------------------------------------------------------------

    def open_device(self, dev: Node) -> Handle:
        self._fail("open_device")
        if dev.seat is None or dev.info is None:
            raise _error(errno.EACCES)
        handle = Handle(dev.seat, dev.info, dev.product)
        with dev.seat.changed:
            self.check(handle)
            self.open_handles += 1
        return handle

    def close_device(self, dev_handle: Handle) -> None:
        assert dev_handle.is_open, "closed twice: libusb would crash"
        dev_handle.is_open = False
        with dev_handle.seat.changed:
            owners = dev_handle.seat.owners
            for number in [number for number, owner in owners.items() if owner is dev_handle]:
                del owners[number]
            self.open_handles -= 1

    def get_configuration(self, dev_handle: Handle) -> int:
        with dev_handle.seat.changed:
            self.check(dev_handle)
        return dev_handle.seat.configuration

    def set_configuration(self, dev_handle: Handle, config_value: int) -> None:
        self.configurations_set.append(config_value)
        with dev_handle.seat.changed:
            self.check(dev_handle)
            if dev_handle.seat.owners:
                raise _error(errno.EBUSY)
            dev_handle.seat.configuration = config_value

    def claim_interface(self, dev_handle: Handle, intf: int) -> None:
        self._fail("claim_interface")
        seat = dev_handle.seat
        with seat.changed:
            self.check(dev_handle)
            if intf not in [interface.number for interface in dev_handle.info.interfaces]:
                raise _error(errno.ENOENT)
            if intf in seat.kernel_drivers or seat.owners.get(intf, dev_handle) is not dev_handle:
                raise _error(errno.EBUSY)
            seat.owners[intf] = dev_handle

    def release_interface(self, dev_handle: Handle, intf: int) -> None:
        with dev_handle.seat.changed:
            self.check(dev_handle)
            if dev_handle.seat.owners.get(intf) is not dev_handle:
                raise _error(errno.ENOENT)
            del dev_handle.seat.owners[intf]

    def is_kernel_driver_active(self, dev_handle: Handle, intf: int) -> bool:
        self._fail("is_kernel_driver_active")
        return intf in dev_handle.seat.kernel_drivers

    def detach_kernel_driver(self, dev_handle: Handle, intf: int) -> None:
        self._fail("detach_kernel_driver")
        if intf not in dev_handle.seat.kernel_drivers:
            raise _error(errno.ENOENT)
        dev_handle.seat.kernel_drivers.remove(intf)
        self.detached.append(intf)

    def attach_kernel_driver(self, dev_handle: Handle, intf: int) -> None:
        self._fail("attach_kernel_driver")
        with dev_handle.seat.changed:
            self.check(dev_handle)
            if intf in dev_handle.seat.owners:
                raise _error(errno.EBUSY)
            dev_handle.seat.kernel_drivers.add(intf)
            self.attached.append(intf)

    def clear_halt(self, dev_handle: Handle, ep: int) -> None:
        with dev_handle.seat.changed:
            self.check(dev_handle)
            self.halted.discard(ep)

    def reset_device(self, dev_handle: Handle) -> None:
        assert self.resets_end.wait(30)
        with dev_handle.seat.changed:
            self.check(dev_handle)

    # --- transfers ----------------------------------------------------------------------------

    def bulk_write(
        self, dev_handle: Handle, ep: int, intf: int, data: "array[int]", timeout: int
    ) -> int:
        """Blocks until the module began to take the transfer: it buffers one, as hardware does."""
        if self.failures:
            self._fail("bulk_write")
        assert timeout > 0, "0 waits for ever"
        assert not ep & 0x80
        self.check_halt(ep)
        if self.shorten_next_write_bytes:
            short, self.shorten_next_write_bytes = self.shorten_next_write_bytes, 0
            return len(data) - short
        seat, generation = dev_handle.seat, dev_handle.info.generation
        with seat.changed, _gone_is_enodev():
            self.check_claim(dev_handle, intf)
            now_s = self._clock()
            deadline_s = now_s + timeout / 1000
            if data and seat.port.ready_s(now_s) > deadline_s:
                self._wait(dev_handle, deadline_s)
                raise _error(errno.ETIMEDOUT)
            taken_s = seat.port.write(generation, intf, data.tobytes(), now_s)
            seat.changed.notify_all()
            if taken_s > now_s + _NAP_S:
                self._wait(dev_handle, taken_s)
        if taken_s > now_s:  # too short to be woken from, and much cheaper
            time.sleep(max(0.0, taken_s - self._clock()))  # the simulated hardware's own time
        return len(data)

    def _wait(self, handle: Handle, until_s: float) -> None:
        """Let time pass, the lock open meanwhile. Raises ENODEV when the module leaves."""
        while (left_s := until_s - self._clock()) > 0:
            handle.seat.changed.wait(left_s)
            self.check(handle)

    def bulk_read(
        self, dev_handle: Handle, ep: int, intf: int, buff: "array[int]", timeout: int
    ) -> int:
        """As on the wire: a short packet or a full buffer ends a read, or the time-out does.

        The end of what the module meant as one transfer does not, if its last packet is full.
        """
        if self.failures:
            self._fail("bulk_read")
        assert timeout > 0, "0 waits for ever"
        assert ep & 0x80
        self.check_halt(ep)
        deadline_s = self._clock() + timeout / 1000
        got = 0
        with dev_handle.seat.changed, _gone_is_enodev():
            self.check_claim(dev_handle, intf)
            packet = packet_bytes(dev_handle.info, intf, ep)
            assert len(buff) % packet == 0, "may overflow"
            while got < len(buff):
                data = self._await_in(dev_handle, intf, len(buff) - got, deadline_s)
                if data is None and got == 0:
                    raise _error(errno.ETIMEDOUT)
                if data is None:
                    break
                buff[got : got + len(data)] = array("B", data)
                got += len(data)
                if not data or len(data) % packet:
                    break
        return got

    def _await_in(
        self, handle: Handle, interface: int, max_bytes: int, deadline_s: float
    ) -> bytes | None:
        port, generation = handle.seat.port, handle.info.generation
        while True:
            self.check_claim(handle, interface)
            now_s = self._clock()
            answer = port.read(generation, interface, max_bytes, now_s)
            if isinstance(answer, bytes):
                return answer
            if now_s >= deadline_s:
                return None
            due_s = deadline_s if answer is None else min(deadline_s, answer)
            handle.seat.changed.wait(max(due_s - now_s, 0.0))

    intr_write = bulk_write
    intr_read = bulk_read

    def ctrl_transfer(
        self,
        dev_handle: Handle,
        bmRequestType: int,  # noqa: N803 - the names pyusb calls it by
        bRequest: int,  # noqa: N803 - as above
        wValue: int,  # noqa: N803 - as above
        wIndex: int,  # noqa: N803 - as above
        data: "array[int]",
        timeout: int,
    ) -> int:
        assert timeout > 0, "0 waits for ever"
        self._fail("ctrl_transfer")
        seat, info = dev_handle.seat, dev_handle.info
        with seat.changed:
            self.check(dev_handle)
            if bmRequestType & 0x80:
                answer = self.strings.get(wValue & 0xFF) or _string_descriptor(
                    dev_handle.product, bmRequestType, bRequest, wValue
                )
                answer = answer[: len(data)]
                data[: len(answer)] = array("B", answer)
                return len(answer)
            self.controls.append(Control(info.path, bmRequestType, bRequest, wValue, wIndex))
            with _gone_is_enodev():
                seat.port.control(
                    info.generation, bmRequestType, bRequest, wValue, wIndex, self._clock()
                )
            seat.changed.notify_all()
        return len(data)

    # --- refusals -----------------------------------------------------------------------------

    def _fail(self, method: str) -> None:
        number = self.failures.pop(method, None)
        if number is not None:
            raise _error(number)

    def check_halt(self, endpoint_address: int) -> None:
        if endpoint_address in self.halted:
            raise _error(errno.EPIPE)

    def check(self, handle: Handle) -> None:
        assert handle.is_open, "used after close: libusb would crash"
        present = handle.seat.port.device(self._clock())
        if present is None or present.generation != handle.info.generation:
            raise _error(errno.ENODEV)

    def check_claim(self, handle: Handle, interface: int) -> None:
        assert handle.is_open, "used after close: libusb would crash"
        if handle.seat.owners.get(interface) is not handle:
            self.check(handle)
            raise _error(errno.ENOENT)


@contextmanager
def _gone_is_enodev() -> Iterator[None]:
    try:
        yield
    except Disconnected:
        raise _error(errno.ENODEV) from None


def packet_bytes(info: DeviceInfo, interface: int, address: int) -> int:
    return next(
        endpoint.max_packet_bytes
        for found in info.interfaces
        for endpoint in found.endpoints
        if found.number == interface and endpoint.address == address
    )


def _interfaces(node: Node) -> tuple[Interface, ...]:
    return node.info.interfaces if node.info else ()


def _error(number: int) -> usb.core.USBError:
    kind = usb.core.USBTimeoutError if number == errno.ETIMEDOUT else usb.core.USBError
    return kind(errno.errorcode[number], errno=number)


def _string_descriptor(product: str | None, request_type: int, request: int, value: int) -> bytes:
    """GET_DESCRIPTOR for strings; everything else stalls. Ref: USB 2.0 9.4.3, 9.6.7."""
    kind, index = value >> 8, value & 0xFF
    if (request_type, request, kind) != (0x80, 6, 3):
        raise _error(errno.EPIPE)
    if index == 0:
        payload = _US_ENGLISH.to_bytes(2, "little")
    elif index == _PRODUCT_INDEX and product is not None:
        payload = product.encode("utf-16-le")
    else:
        raise _error(errno.EPIPE)
    return bytes((len(payload) + 2, 3)) + payload
