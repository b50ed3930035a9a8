from collections.abc import Iterator

import pytest

from station.errors import Disconnected
from station.model import PortPath
from station.sim import faces
from station.sim.port import Face, Later, Leave, Reaction, Say, SimPort, Stream, Taken

EDL = faces.edl_face(None)
SUPER = faces.runtime_face(0x0800, "RM500Q-GL", superspeed=True)


class Toy:
    """Answers every transfer with the reactions it was given."""

    def __init__(self, *reactions: Reaction, face: Face = EDL, busy_s: float = 0.0) -> None:
        self.reactions = reactions
        self.face = face
        self.busy_s = busy_s
        self.received: list[tuple[int, bytes]] = []
        self.controls: list[tuple[int, int, int, int]] = []
        self.faces: list[Face] = []

    def power_on(self) -> tuple[Face, tuple[Reaction, ...]]:
        return self.face, ()

    def enumerated(self, face: Face) -> tuple[Reaction, ...]:
        self.faces.append(face)
        return ()

    def bus_reset(self) -> tuple[Reaction, ...]:
        return ()

    def receive(self, interface: int, data: bytes) -> Taken:
        self.received.append((interface, data))
        return Taken(self.busy_s, self.reactions)

    def control(self, request_type: int, request: int, value: int, index: int) -> None:
        self.controls.append((request_type, request, value, index))


def plugged(toy: Toy) -> SimPort:
    port = SimPort(PortPath.parse("1-1.4"), PortPath.parse("2-1.4"))
    port.plug(toy, 10.0)
    return port


def test_a_transfer_waits_for_the_one_before_and_a_zero_packet_does_not() -> None:
    toy = Toy(busy_s=2.0)
    port = plugged(toy)
    assert port.write(1, 0, b"one", 10.0) == 10.0
    assert port.ready_s(10.0) == 12.0
    assert port.write(1, 0, b"", 10.5) == 10.5
    toy.busy_s = 1.0
    assert port.write(1, 0, b"two", 10.5) == 14.0
    assert port.device_s == 5.0


def test_an_answer_comes_after_the_work_and_in_pieces() -> None:
    port = plugged(Toy(Say(0, b"answer", 0.5), busy_s=1.0))
    port.write(1, 0, b"?", 10.0)
    assert port.read(1, 0, 512, 10.0) == 11.5
    assert port.read(1, 0, 4, 11.5) == b"answ"
    assert port.read(1, 0, 4, 11.5) == b"er"
    assert port.read(1, 0, 4, 11.5) is None


def test_the_module_learns_that_its_answer_was_read_whole() -> None:
    read: list[str] = []
    port = plugged(Toy(Say(0, b"answer", on_read=lambda: read.append("all"))))
    port.write(1, 0, b"?", 10.0)
    port.read(1, 0, 4, 10.0)
    assert not read
    port.read(1, 0, 4, 10.0)
    assert read == ["all"]


def test_a_stream_is_made_as_it_is_read_at_its_pace() -> None:
    made: list[bytes] = []

    def pieces() -> Iterator[bytes]:
        for piece in (b"abcd", b"efgh"):
            made.append(piece)
            yield piece

    port = plugged(Toy(Stream(0, pieces(), 2.0), Say(0, b"end")))
    port.write(1, 0, b"?", 10.0)
    assert made == [b"abcd"]
    assert port.read(1, 0, 512, 10.0) == 12.0
    assert port.read(1, 0, 512, 12.0) == b"abcd"
    assert port.read(1, 0, 512, 12.0) == 14.0
    assert port.read(1, 0, 512, 20.0) == b"efgh"
    assert port.read(1, 0, 512, 20.0) == b"end"


def test_leaving_drops_what_was_not_read_and_returns_with_a_new_generation() -> None:
    toy = Toy(Say(0, b"late", 5.0), Leave(SUPER, 1.0, 2.0), Later(lambda: (), 9.0))
    port = plugged(toy)
    port.write(1, 0, b"?", 10.0)
    assert port.next_change_s(10.0) == 11.0
    assert port.read(1, 0, 512, 10.0) == 11.0
    with pytest.raises(Disconnected):
        port.read(1, 0, 512, 11.0)
    assert port.device(11.0) is None
    assert port.next_change_s(11.0) == 13.0
    device = port.device(13.0)
    assert device is not None
    assert (str(device.path), device.usb_id, device.generation) == ("2-1.4", "2c7c:0800", 2)
    assert port.read(2, 0, 512, 30.0) is None
    assert toy.faces == [SUPER]


def test_what_a_module_does_later_happens_on_time_unless_it_is_pulled() -> None:
    toy = Toy(Later(lambda: (Say(0, b"RDY"),), 2.0))
    port = plugged(toy)
    port.write(1, 0, b"?", 10.0)
    assert port.read(1, 0, 512, 10.0) == 12.0
    assert port.read(1, 0, 512, 12.0) == b"RDY"
    port.write(1, 0, b"?", 12.0)
    port.unplug()
    port.plug(toy, 13.0)
    assert port.read(2, 0, 512, 20.0) is None


def test_an_old_generation_is_disconnected() -> None:
    port = plugged(Toy())
    port.unplug()
    with pytest.raises(Disconnected):
        port.write(1, 0, b"?", 11.0)
    port.plug(Toy(), 12.0)
    with pytest.raises(Disconnected):
        port.read(1, 0, 512, 12.0)
    with pytest.raises(Disconnected):
        port.control(1, 0x21, 0x22, 3, 2, 12.0)
