"""A pyusb backend with one hub on it, as far as class requests go."""

import errno
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace

import usb.backend
import usb.core


@dataclass(frozen=True)
class HubNode:
    bus: int
    address: int


@dataclass
class FakeHub(usb.backend.IBackend):  # type: ignore[misc]  # pyusb has no types
    """Every port has something plugged in. `stalls`: obeys, and stalls the request all the same."""

    node: HubNode = field(default_factory=lambda: HubNode(1, 5))
    superspeed: bool = False
    ports: int = 4
    characteristics: int = 0x0009
    stalls: bool = False
    over_current: set[int] = field(default_factory=set)
    failure: int = 0
    """The errno of everything that is asked."""

    def __post_init__(self) -> None:
        super().__init__()
        self.powered = dict.fromkeys(range(1, self.ports + 1), True)
        self.open_handles = 0
        self.answer: bytes | None = None
        """Instead of a true one."""

    def enumerate_devices(self) -> Iterator[HubNode]:
        yield HubNode(self.node.bus, self.node.address + 1)
        yield self.node

    def get_device_descriptor(self, dev: HubNode) -> SimpleNamespace:
        numbers = {"bDeviceClass": 9, "bDeviceSubClass": 0, "bDeviceProtocol": 1}
        names = (
            "bLength bDescriptorType bcdUSB bMaxPacketSize0 idVendor idProduct bcdDevice "
            "iManufacturer iProduct iSerialNumber bNumConfigurations"
        )
        return SimpleNamespace(
            **dict.fromkeys(names.split(), 0),
            **numbers,
            bus=dev.bus,
            address=dev.address,
            port_number=1,
            port_numbers=(1,),
            speed=3,
        )

    def open_device(self, dev: HubNode) -> HubNode:
        if self.failure:
            raise usb.core.USBError("no", -1, self.failure)
        assert dev == self.node
        self.open_handles += 1
        return dev

    def close_device(self, dev_handle: HubNode) -> None:
        self.open_handles -= 1

    def ctrl_transfer(
        self,
        dev_handle: HubNode,
        bm_request_type: int,
        b_request: int,
        w_value: int,
        w_index: int,
        data: "array[int]",
        timeout: int,
    ) -> int:
        assert timeout > 0, "0 means for ever"
        if self.failure:
            raise usb.core.USBError("no", -1, self.failure)
        match bm_request_type, b_request, w_value:
            case 0xA0, 6, value if value == (0x2A00 if self.superspeed else 0x2900):
                answer = bytes((9, value >> 8, self.ports, self.characteristics, 0, 50, 0, 0, 0))
            case 0xA3, 0, 0:
                answer = self._status(w_index).to_bytes(4, "little")
            case 0x23, (1 | 3) as request, 8:
                self.powered[w_index] = request == 3
                if self.stalls:
                    raise usb.core.USBError("stall", -9, errno.EPIPE)
                answer = b""
            case _:
                raise usb.core.USBError("stall", -9, errno.EPIPE)
        answer = (self.answer if self.answer is not None else answer)[: len(data)]
        data[: len(answer)] = array("B", answer)
        return len(answer)

    def _status(self, port: int) -> int:
        power = 1 << (9 if self.superspeed else 8)
        over_current = 1 << 3 if port in self.over_current else 0
        return over_current | (power | 1 if self.powered[port] else 0)
