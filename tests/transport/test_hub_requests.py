"""What a hub is asked, bit by bit, and what becomes of odd answers."""

import contextlib
import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.errors import Disconnected, UsbAccess, UsbBroken, UsbError
from station.transport.hub_requests import HubTraits, PortStatus, Switching, open_hub
from tests.fakes.pyusb_hub import FakeHub, HubNode

GENESYS = bytes.fromhex("0929 04 e900 32 64 00 ff".replace(" ", ""))
"""A 05e3:0608 with its power switches wired: four ports, individual."""


def test_a_descriptor_as_hubs_have_it() -> None:
    assert HubTraits.decode(GENESYS) == HubTraits(4, Switching.INDIVIDUAL)


@pytest.mark.parametrize(
    ("bits", "switching"),
    [
        (0b00, Switching.GANGED),
        (0b01, Switching.INDIVIDUAL),
        (0b10, Switching.NONE),
        (0b11, Switching.NONE),
    ],
)
def test_how_a_hub_switches_is_two_bits(bits: int, switching: Switching) -> None:
    traits = HubTraits.decode(bytes((9, 0x2A, 7, 0xFC | bits, 0xFF, 0, 0, 0, 0)))
    assert traits == HubTraits(7, switching)


@pytest.mark.parametrize(
    ("data", "superspeed", "status"),
    [
        ("0301", False, PortStatus(connected=True, over_current=False, powered=True)),
        ("0001", False, PortStatus(connected=False, over_current=False, powered=True)),
        ("0100", False, PortStatus(connected=True, over_current=False, powered=False)),
        ("0801", False, PortStatus(connected=False, over_current=True, powered=True)),
        ("0302", True, PortStatus(connected=True, over_current=False, powered=True)),
        ("0001", True, PortStatus(connected=False, over_current=False, powered=False)),
    ],
)
def test_the_power_bit_moves_with_usb_3(data: str, superspeed: bool, status: PortStatus) -> None:
    assert PortStatus.decode(bytes.fromhex(data + "0000"), superspeed=superspeed) == status


@given(st.binary(max_size=80))
def test_whatever_a_hub_answers_is_understood_or_broken(data: bytes) -> None:
    for read in (HubTraits.decode, lambda answer: PortStatus.decode(answer, superspeed=True)):
        with contextlib.suppress(UsbBroken):  # and nothing else
            read(data)


@pytest.mark.parametrize("superspeed", [False, True])
def test_a_conversation(superspeed: bool) -> None:
    hub = FakeHub(superspeed=superspeed, over_current={3})
    pipe = open_hub(hub, 1, 5, "1-3")
    assert pipe.traits(superspeed=superspeed) == HubTraits(4, Switching.INDIVIDUAL)
    assert pipe.status(2, superspeed=superspeed).powered
    pipe.set_power(2, on=False)
    assert hub.powered == {1: True, 2: False, 3: True, 4: True}
    assert not pipe.status(2, superspeed=superspeed).powered
    assert pipe.status(3, superspeed=superspeed).over_current
    pipe.set_power(2, on=True)
    assert hub.powered[2]
    pipe.close()
    assert hub.open_handles == 0


def test_a_stall_is_no_answer() -> None:
    hub = FakeHub(stalls=True)
    pipe = open_hub(hub, 1, 5, "1-3")
    pipe.set_power(2, on=False)
    assert not pipe.status(2, superspeed=False).connected


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.EACCES, UsbAccess), (errno.ENODEV, Disconnected)]
)
def test_a_hub_that_cannot_be_opened(number: int, kind: type[UsbError]) -> None:
    with pytest.raises(kind, match="open hub 1-3"):
        open_hub(FakeHub(failure=number), 1, 5, "1-3")


def test_a_hub_that_left() -> None:
    with pytest.raises(Disconnected, match="open hub 1-3: it has left"):
        open_hub(FakeHub(node=HubNode(2, 5)), 1, 5, "1-3")


def test_a_hub_that_leaves_while_it_is_asked() -> None:
    hub = FakeHub()
    pipe = open_hub(hub, 1, 5, "1-3")
    hub.failure = errno.ENODEV
    with pytest.raises(Disconnected, match="ask hub 1-3"):
        pipe.set_power(2, on=False)
    pipe.close()


def test_short_answers_are_broken() -> None:
    hub = FakeHub()
    pipe = open_hub(hub, 1, 5, "1-3")
    hub.answer = b"\x01"
    with pytest.raises(UsbBroken):
        pipe.status(1, superspeed=False)
    with pytest.raises(UsbBroken):
        pipe.traits(superspeed=False)
