"""The transfers of one imported module, with a clock by hand."""

import struct
from dataclasses import dataclass, field

import pytest

from station.errors import Disconnected, ProtocolError
from station.model import PortPath
from station.sim import usbip_wire as wire
from station.sim.port import Face, Reaction, Say, SimPort, Taken
from station.sim.usbip_device import MAX_OUTSTANDING, UsbipDevice
from tests.transport.loopback import RUNTIME, Loopback

ID = 0x00010001
DIAG_OUT, DIAG_IN = 1, 0x81


@dataclass
class Scripted:
    """Says what it was given, to any transfer that is not empty."""

    says: tuple[bytes, ...]
    received: list[bytes] = field(default_factory=list)

    def power_on(self) -> tuple[Face, tuple[Reaction, ...]]:
        return RUNTIME, ()

    def enumerated(self, face: Face) -> tuple[Reaction, ...]:
        raise AssertionError(f"it never comes back, not as {face}")

    def bus_reset(self) -> tuple[Reaction, ...]:
        return ()

    def receive(self, interface: int, data: bytes) -> Taken:
        self.received.append(data)
        return Taken(0.0, tuple(Say(interface, say) for say in self.says) if data else ())

    def control(self, request_type: int, request: int, value: int, index: int) -> None:
        raise AssertionError(f"{request_type} {request} {value} {index}")


class Bench:
    """A module behind a port, imported; time moves only by `later`."""

    def __init__(self, module: Loopback | Scripted) -> None:
        self.port = SimPort(PortPath.parse("1-1"))
        self.now_s = 10.0
        self.port.plug(module, self.now_s)
        self.device = UsbipDevice(self.port, RUNTIME, ID)
        self.sequence = 0

    def submit(
        self, address: int, data: bytes = b"", *, length: int = 0, flags: int = 0, setup: str = ""
    ) -> int:
        self.sequence += 1
        is_in = address >> 7
        head = struct.pack(
            ">10I8s",
            *(1, self.sequence, ID, is_in, address & 0xF, flags, length or len(data), 0, 0, 0),
            bytes.fromhex(setup),
        )
        self.take(head, data)
        return self.sequence

    def unlink(self, target: int) -> int:
        self.sequence += 1
        self.take(struct.pack(">6I24x", 2, self.sequence, ID, 0, 0, target))
        return self.sequence

    def take(self, head: bytes, data: bytes = b"") -> None:
        command = wire.parse_command(head)
        self.device.admit(command)
        self.device.take(command, data, self.now_s)

    def later(self, wait_s: float = 0.0) -> list[tuple[int, int, int, bytes]]:
        """What was answered after so long: command, sequence, status, data."""
        self.now_s += wait_s
        self.device.work(self.now_s)
        answers = list(self.device.answers)
        self.device.answers.clear()
        return [
            (*struct.unpack(">II12xi", answer[:24]), answer[wire.HEAD_BYTES :])
            for answer in answers
        ]


def test_in_transfers_wait_and_are_answered_in_order() -> None:
    bench = Bench(Loopback())
    first, second = bench.submit(DIAG_IN, length=512), bench.submit(DIAG_IN, length=512)
    assert bench.later() == []
    out = bench.submit(DIAG_OUT, b"twice")
    assert bench.later() == [(3, out, 0, b""), (3, first, 0, b"one"), (3, second, 0, b"two")]


def test_a_transfer_ends_with_a_packet_that_is_not_full() -> None:
    bench = Bench(Scripted((b"a" * 512, b"b" * 700, b"c" * 512, b"")))
    bench.submit(DIAG_OUT, b"go")
    one, two = bench.submit(DIAG_IN, length=4096), bench.submit(DIAG_IN, length=4096)
    assert bench.later()[1:] == [(3, one, 0, b"a" * 512 + b"b" * 700), (3, two, 0, b"c" * 512)]


def test_a_full_buffer_ends_a_transfer_too() -> None:
    bench = Bench(Scripted((b"x" * 1500,)))
    bench.submit(DIAG_OUT, b"go")
    first, second = bench.submit(DIAG_IN, length=1024), bench.submit(DIAG_IN, length=1024)
    assert bench.later()[1:] == [(3, first, 0, b"x" * 1024), (3, second, 0, b"x" * 476)]


def test_a_packet_that_does_not_fit_is_an_overflow() -> None:
    bench = Bench(Scripted((b"x" * 300,)))
    bench.submit(DIAG_OUT, b"go")
    read = bench.submit(DIAG_IN, length=100)
    assert bench.later()[1:] == [(3, read, -75, b"x" * 100)]


def test_a_short_transfer_is_an_error_for_who_says_so() -> None:
    bench = Bench(Scripted((b"x" * 300, b"")))
    bench.submit(DIAG_OUT, b"go")
    short = bench.submit(DIAG_IN, length=512, flags=0x0001)
    empty = bench.submit(DIAG_IN, length=512)
    assert bench.later()[1:] == [(3, short, -121, b"x" * 300), (3, empty, 0, b"")]


def test_zero_packets_reach_the_module_flagged_or_sent_by_themselves() -> None:
    module = Scripted(())
    bench = Bench(module)
    flags = 0x0040
    for data in (b"x" * 512, b"y" * 511, b""):
        bench.submit(DIAG_OUT, data, flags=flags)
    bench.submit(DIAG_OUT, b"z" * 512)
    assert len(bench.later()) == 4
    assert module.received == [b"x" * 512, b"", b"y" * 511, b"", b"z" * 512]


def test_out_transfers_wait_for_a_busy_module() -> None:
    module = Loopback(busy_s=1.0)
    bench = Bench(module)
    first, second = bench.submit(DIAG_OUT, b"one"), bench.submit(DIAG_OUT, b"two")
    assert bench.later() == [(3, first, 0, b"")]
    assert bench.device.work(bench.now_s) == 11.0
    assert bench.later(1.0) == [(3, second, 0, b"")]
    assert module.received == [(0, b"one"), (0, b"two")]


def test_an_answer_to_out_tells_how_much_was_taken() -> None:
    bench = Bench(Loopback())
    bench.submit(DIAG_OUT, b"x" * 700)
    bench.device.work(bench.now_s)
    assert bench.device.answers[0][24:28] == bytes.fromhex("000002bc")


def test_a_waiting_transfer_is_unlinked_and_never_answered() -> None:
    module = Loopback()
    bench = Bench(module)
    first, second = bench.submit(DIAG_IN, length=512), bench.submit(DIAG_IN, length=512)
    unlink = bench.unlink(first)
    assert bench.later() == [(4, unlink, -104, b"")]
    out = bench.submit(DIAG_OUT, b"echo")
    assert bench.later() == [(3, out, 0, b""), (3, second, 0, b"echo")]


def test_a_transfer_that_was_answered_is_no_longer_to_be_unlinked() -> None:
    bench = Bench(Loopback())
    out = bench.submit(DIAG_OUT, b"hush")
    assert bench.later() == [(3, out, 0, b"")]
    unlink, stranger = bench.unlink(out), bench.unlink(4711)
    assert bench.later() == [(4, unlink, 0, b""), (4, stranger, 0, b"")]


def test_what_came_in_before_an_unlink_is_not_lost() -> None:
    bench = Bench(Scripted((b"x" * 512,)))
    out, read = bench.submit(DIAG_OUT, b"go"), bench.submit(DIAG_IN, length=4096)
    assert bench.later() == [(3, out, 0, b"")]
    unlink = bench.unlink(read)
    assert bench.later() == [(3, read, 0, b"x" * 512), (4, unlink, 0, b"")]


def test_an_unlinked_out_transfer_never_reaches_the_module() -> None:
    module = Loopback(busy_s=1.0)
    bench = Bench(module)
    bench.submit(DIAG_OUT, b"one")
    second = bench.submit(DIAG_OUT, b"two")
    bench.later()
    unlink = bench.unlink(second)
    assert bench.later(5.0) == [(4, unlink, -104, b"")]
    assert module.received == [(0, b"one")]


def test_interrupt_endpoints_stay_silent() -> None:
    bench = Bench(Loopback())
    interrupt = bench.submit(0x87, length=10)
    bench.submit(4, b"AT\r")
    read = bench.submit(0x86, length=512)
    assert bench.later(60.0)[1:] == [(3, read, 0, b"AT\r")]
    assert bench.later() == []
    unlink = bench.unlink(interrupt)
    assert bench.later() == [(4, unlink, -104, b"")]


def test_a_halted_endpoint_stalls_until_it_is_cleared() -> None:
    bench = Bench(Loopback())
    waiting = bench.submit(DIAG_IN, length=512)
    halt = bench.submit(0, setup="02 03 0000 8100 0000")
    assert bench.later() == [(3, halt, 0, b""), (3, waiting, -32, b"")]
    clear = bench.submit(0, setup="02 01 0000 8100 0000")
    out, read = bench.submit(DIAG_OUT, b"echo"), bench.submit(DIAG_IN, length=512)
    assert bench.later() == [(3, clear, 0, b""), (3, out, 0, b""), (3, read, 0, b"echo")]


def test_an_endpoint_that_is_not_there_stalls() -> None:
    bench = Bench(Loopback())
    read, write = bench.submit(0x8F, length=64), bench.submit(0xF, b"data")
    assert bench.later() == [(3, read, -32, b""), (3, write, -32, b"")]


def test_a_host_may_have_the_port_reset() -> None:
    """What the module had to say is gone with it."""
    bench = Bench(Scripted((b"stale",)))
    bench.submit(DIAG_OUT, b"go")
    bench.later()
    asked = bench.submit(0x00, setup="2303040000000000")
    read = bench.submit(DIAG_IN, length=512)
    assert bench.later() == [(3, asked, 0, b"")]
    bench.submit(DIAG_OUT, b"go")
    assert bench.later()[1:] == [(3, read, 0, b"stale")]


def test_control_transfers() -> None:
    module = Loopback()
    bench = Bench(module)
    line_state = bench.submit(0, setup="21 22 0300 0200 0000")
    device = bench.submit(0x80, length=8, setup="80 06 0001 0000 1200")
    unknown = bench.submit(0x80, length=4, setup="c0 07 0000 0000 0400")
    backwards = bench.submit(0, b"1234", setup="80 06 0001 0000 0400")
    assert bench.later() == [
        (3, line_state, 0, b""),
        (3, device, 0, bytes.fromhex("12010002ef020140")),
        (3, unknown, -32, b""),
        (3, backwards, -32, b""),
    ]
    assert module.controls == [(0x21, 0x22, 3, 2)]


def test_a_module_that_left_ends_it_with_its_answers_still_there() -> None:
    bench = Bench(Loopback())
    out = bench.submit(DIAG_OUT, b"edl")
    bench.submit(DIAG_IN, length=512)
    with pytest.raises(Disconnected, match="1-1 is gone"):
        bench.device.work(bench.now_s)
    assert [answer[4:8] for answer in bench.device.answers] == [out.to_bytes(4, "big")]


def test_a_module_that_left_and_returned_is_another_device() -> None:
    bench = Bench(Loopback())
    bench.port.plug(Loopback(), bench.now_s)
    with pytest.raises(Disconnected):
        bench.later()


def test_what_a_host_would_not_say_is_refused() -> None:
    bench = Bench(Loopback())
    bench.submit(DIAG_IN, length=512)
    bench.sequence = 0
    with pytest.raises(ProtocolError, match="transfer 1 is under way"):
        bench.submit(DIAG_IN, length=512)
    with pytest.raises(ProtocolError, match="0x20001"):
        bench.take(struct.pack(">6I24x", 2, 9, 0x20001, 0, 0, 1))


def test_transfers_under_way_are_bounded_in_number_and_length() -> None:
    bench = Bench(Loopback())
    for _ in range(MAX_OUTSTANDING):
        bench.submit(DIAG_IN, length=512)
    with pytest.raises(ProtocolError, match="1024 transfers"):
        bench.submit(DIAG_IN, length=512)
    bench = Bench(Loopback())
    for _ in range(32):
        bench.submit(DIAG_IN, length=1 << 20)
    with pytest.raises(ProtocolError, match="bytes under way"):
        bench.submit(DIAG_IN, length=1)
    bench.unlink(1)
    bench.submit(DIAG_IN, length=1 << 20)
