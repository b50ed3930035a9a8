"""A host that drives a simulated port by hand, with a clock of its own."""

from station.errors import Disconnected
from station.model import PortPath
from station.sim.port import Module, SimPort

STRIDE = 16384


class Host:
    """Plugs a module in at time 0 and talks to it; time moves only as far as it must."""

    def __init__(self, module: Module) -> None:
        self.port = SimPort(PortPath.parse("1-1"), PortPath.parse("2-1"))
        self.now_s = 0.0
        self.port.plug(module, self.now_s)

    @property
    def usb_id(self) -> str | None:
        device = self.port.device(self.now_s)
        return None if device is None else device.usb_id

    def open(self, interface: int) -> None:
        self.port.control(self.port.generation, 0x21, 0x22, 3, interface, self.now_s)

    def send(self, data: bytes, interface: int = 0) -> None:
        self.now_s = self.port.ready_s(self.now_s)
        self.port.write(self.port.generation, interface, data, self.now_s)

    def read(self, interface: int = 0, *, patience_s: float = 60.0) -> bytes | None:
        """The next transfer; None if nothing would come within the patience or it left."""
        deadline_s = self.now_s + patience_s
        for _ in range(1000):
            try:
                answer = self.port.read(self.port.generation, interface, STRIDE, self.now_s)
            except Disconnected:
                return None
            if isinstance(answer, bytes):
                return answer
            if answer is None or answer > deadline_s:
                return None
            self.now_s = answer
        raise AssertionError("a thousand events and no byte")

    def read_some(self, interface: int = 0) -> None:
        """Up to a hundred transfers, thrown away."""
        for _ in range(100):
            if self.read(interface) is None:
                return

    def read_all(self, interface: int = 0) -> bytes:
        found = bytearray()
        while (data := self.read(interface)) is not None:
            found += data
        return bytes(found)

    def ask(self, data: bytes, interface: int = 0) -> bytes:
        self.send(data, interface)
        return self.read_all(interface)

    def wait_return(self) -> str | None:
        """Let it leave and come back; its id then, None if it stays away."""
        generation = self.port.generation
        while (change_s := self.port.next_change_s(self.now_s)) is not None:
            self.now_s = change_s
            if self.port.device(self.now_s) is not None and self.port.generation != generation:
                return self.usb_id
        return None
