"""One imported module: its transfers, from USB/IP command to USB/IP answer.

Without a clock and without a socket: as at `SimPort`, every call takes the time (seconds,
monotonic), so all that can go wrong between a host and a module is shown without waiting.
"""

from collections import deque
from dataclasses import dataclass, field

from station.errors import Disconnected, ProtocolError
from station.model import Endpoint
from station.sim import usbip_wire as wire
from station.sim.endpoint_zero import EndpointZero
from station.sim.port import Face, SimPort
from station.sim.usbip_wire import Setup, Submit, Unlink

MAX_OUTSTANDING = 1024
MAX_OUTSTANDING_BYTES = 32 << 20
"""Transfers that a host may have under way, and the length of all their buffers."""

_CONTROL, _BULK = 0, 2
_RESET_PORT = (0x23, 3, 4)
"""SET_FEATURE(PORT_RESET), which no device is asked: by it a host has the port reset that the
device is exported from. Ref: Linux drivers/usb/usbip/stub_rx.c (is_reset_device_cmd)."""


@dataclass(eq=False, slots=True)
class _Transfer:
    """`data` is what goes out, `came` what has come in so far."""

    submit: Submit
    data: bytes
    came: bytearray = field(default_factory=bytearray)


@dataclass(eq=False, slots=True)
class _Lane:
    """One endpoint and its transfers, answered in order. `due_s`: when the first can go on."""

    interface: int
    endpoint: Endpoint
    waiting: deque[_Transfer] = field(default_factory=deque)
    due_s: float | None = None


class UsbipDevice:
    """The enumeration that is at `port` now; Disconnected from any call once it is gone.

    `answers` are to be sent in their order; taking them away makes no difference here.
    """

    def __init__(self, port: SimPort, face: Face, device_id: int) -> None:
        self.answers: deque[bytes] = deque()
        self._port = port
        self._generation = port.generation
        self._device_id = device_id
        self._zero = EndpointZero(face)
        self._lanes = {
            endpoint.address: _Lane(interface.number, endpoint)
            for interface in face.interfaces
            for endpoint in interface.endpoints
        }
        self._is_mute = face.lie.mute
        if self._is_mute:
            for address in (0x00, 0x80):
                self._lanes[address] = _Lane(0, Endpoint(address, _CONTROL, 64))
        self._busy: dict[_Lane, None] = {}
        self._outstanding: dict[int, _Transfer] = {}
        self._outstanding_bytes = 0

    # --- commands -----------------------------------------------------------------------------

    def admit(self, command: Submit | Unlink) -> None:
        """Before its data is read. Raises ProtocolError if a host would not say this."""
        if command.device_id != self._device_id:
            raise ProtocolError(f"a command for device {command.device_id:#x}, which this is not")
        if isinstance(command, Unlink):
            return
        if command.sequence in self._outstanding:
            raise ProtocolError(f"transfer {command.sequence} is under way already")
        if len(self._outstanding) >= MAX_OUTSTANDING:
            raise ProtocolError(f"more than {MAX_OUTSTANDING} transfers under way")
        if self._outstanding_bytes + command.length_bytes > MAX_OUTSTANDING_BYTES:
            raise ProtocolError(f"more than {MAX_OUTSTANDING_BYTES} bytes under way")

    def take(self, command: Submit | Unlink, data: bytes, now_s: float) -> None:
        """One command that was admitted, with the data that belongs to it."""
        if isinstance(command, Unlink):
            self._unlink(command)
        elif command.endpoint == 0 and not self._is_mute:
            self.answers.append(self._control(command, data, now_s))
        elif (lane := self._lanes.get(command.address)) is None:
            self.answers.append(wire.submit_answer(command, wire.STALLED))
        else:
            transfer = _Transfer(command, data)
            lane.waiting.append(transfer)
            self._busy[lane] = None
            self._outstanding[command.sequence] = transfer
            self._outstanding_bytes += command.length_bytes

    def _control(self, submit: Submit, data: bytes, now_s: float) -> bytes:
        setup = Setup.parse(submit.setup)
        answer: bytes | None
        if setup.length_bytes and submit.is_in != bool(setup.request_type & 0x80):
            answer = None
        elif (setup.request_type, setup.request, setup.value) == _RESET_PORT:
            self._port.reset(self._generation, now_s)
            answer = b""
        elif self._zero.is_for_module(setup):
            asked = (setup.request_type, setup.request, setup.value, setup.index)
            self._port.control(self._generation, *asked, now_s)
            answer = b""
        else:
            answer = self._zero.answer(setup, data)
        if answer is None:
            return wire.submit_answer(submit, wire.STALLED)
        answer = answer[: submit.length_bytes]
        return wire.submit_answer(
            submit, _short(submit, len(answer)), answer, taken_bytes=len(data)
        )

    def _unlink(self, unlink: Unlink) -> None:
        transfer = self._outstanding.get(unlink.target)
        if transfer is None:
            self.answers.append(wire.unlink_answer(unlink, 0))
            return
        lane = self._lanes[transfer.submit.address]
        if transfer.came:
            # The module has got rid of these bytes. A host controller hands them over too.
            self._finish(lane, transfer, 0)
            self.answers.append(wire.unlink_answer(unlink, 0))
        else:
            self._forget(lane, transfer)
            self.answers.append(wire.unlink_answer(unlink, wire.UNLINKED))

    # --- transfers ----------------------------------------------------------------------------

    def work(self, now_s: float) -> float | None:
        """Bring every transfer as far as it can go; answers when it can go on by itself.

        Raises Disconnected when the module has left. What was answered before is in `answers`.
        """
        if not self._port.is_at(self._generation, now_s):
            raise Disconnected(f"the module on {self._port.high_speed} is gone")
        while sum(self._drain(lane, now_s) for lane in tuple(self._busy)):
            pass  # what one endpoint took, another may have an answer to
        times_s = [lane.due_s for lane in self._busy] + [self._port.next_change_s(now_s)]
        return min((at_s for at_s in times_s if at_s is not None), default=None)

    def _drain(self, lane: _Lane, now_s: float) -> bool:
        """As many steps as an endpoint can go; False if there was none."""
        has_moved = False
        while lane.waiting and self._advance(lane, now_s):
            has_moved = True
        return has_moved

    def _advance(self, lane: _Lane, now_s: float) -> bool:
        """One step with the first transfer; False if it has to wait. Interrupts never come, nor
        does what a mute device is asked."""
        endpoint, transfer = lane.endpoint, lane.waiting[0]
        if endpoint.address in self._zero.halted:
            self._finish(lane, transfer, wire.STALLED)
            return True
        if endpoint.transfer != _BULK:
            return False
        advance = self._advance_in if transfer.submit.is_in else self._advance_out
        lane.due_s = None
        return advance(lane, transfer, now_s)

    def _advance_out(self, lane: _Lane, transfer: _Transfer, now_s: float) -> bool:
        data = transfer.data
        ready_s = self._port.ready_s(now_s)
        if data and ready_s > now_s:
            lane.due_s = ready_s
            return False
        self._port.write(self._generation, lane.interface, data, now_s)
        ends_full = bool(data) and len(data) % lane.endpoint.max_packet_bytes == 0
        if ends_full and transfer.submit.flags & wire.ZERO_PACKET:
            self._port.write(self._generation, lane.interface, b"", now_s)
        self._finish(lane, transfer, 0)
        return True

    def _advance_in(self, lane: _Lane, transfer: _Transfer, now_s: float) -> bool:
        """A transfer ends when its buffer is full or with a packet that is not."""
        packet_bytes = lane.endpoint.max_packet_bytes
        room_bytes = transfer.submit.length_bytes - len(transfer.came)
        if room_bytes:
            packets = -(-room_bytes // packet_bytes)
            came = self._port.read(self._generation, lane.interface, packets * packet_bytes, now_s)
            if not isinstance(came, bytes):
                lane.due_s = came
                return False
            transfer.came += came
            if came and len(came) % packet_bytes == 0 and len(came) < room_bytes:
                return True
        self._finish(lane, transfer, _short(transfer.submit, len(transfer.came)))
        return True

    def _finish(self, lane: _Lane, transfer: _Transfer, status: int) -> None:
        self._forget(lane, transfer)
        submit = transfer.submit
        came = bytes(transfer.came[: submit.length_bytes])
        taken_bytes = len(transfer.data) if status == 0 else 0
        self.answers.append(wire.submit_answer(submit, status, came, taken_bytes=taken_bytes))

    def _forget(self, lane: _Lane, transfer: _Transfer) -> None:
        if lane.waiting[0] is transfer:
            lane.waiting.popleft()
        else:
            lane.waiting.remove(transfer)
        if not lane.waiting:
            del self._busy[lane]
        del self._outstanding[transfer.submit.sequence]
        self._outstanding_bytes -= transfer.submit.length_bytes


def _short(submit: Submit, came_bytes: int) -> int:
    """The status of a transfer of which so much came in."""
    if came_bytes > submit.length_bytes:
        return wire.OVERFLOW
    is_short = submit.is_in and came_bytes < submit.length_bytes
    return wire.TOO_SHORT if is_short and submit.flags & wire.SHORT_NOT_OK else 0
