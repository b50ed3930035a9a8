"""Taking the power of a slot away: what counts is what leaves and what returns."""

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from station.errors import Disconnected, Timeout, UsbBroken
from station.model import DeviceInfo
from station.places import PortPath
from station.transport.base import PowerProof, Switched
from station.transport.hub_requests import Switching
from station.transport.power import AGAIN_S, LEAVE_S, PortPower
from station.transport.topology import Topology, read_topology
from tests.fakes.socket import FakeBus, FakeSocket
from tests.fakes.sysfs import SysfsTree

pytestmark = pytest.mark.trio

HIGH = PortPath.parse("1-3.2")
SUPER = PortPath.parse("2-1.2")
BESIDE = PortPath.parse("1-4.1")
OFF_S = 2.0


@pytest.fixture
def tree(tmp_path: Path) -> SysfsTree:
    """A USB 3 hub, two hubs to the kernel, on 1-3 and 2-1; a USB 2 hub on 1-4."""
    tree = SysfsTree(tmp_path / "sys")
    controller = tree.controller("pci0000:00/0000:00:14.0", "pci", "xhci_hcd")
    tree.root_hub(controller, bus=1, ports=4)
    tree.root_hub(controller, bus=2, ports=2, version="3.00", speed="5000")
    tree.peer("usb1", 3, "usb2", 1)
    tree.hub("1-3", ports=4)
    tree.hub("2-1", ports=4, speed="5000")
    for number in range(1, 5):
        tree.peer("1-3", number, "2-1", number)
    tree.hub("1-4", ports=4)
    return tree


@pytest.fixture
def topology(tree: SysfsTree) -> Topology:
    return read_topology(tree.root)


def socket(**how: object) -> FakeSocket:
    return FakeSocket((HIGH, SUPER), HIGH, **how)  # type: ignore[arg-type]  # as the test says


def power(topology: Topology, *sockets: FakeSocket, denied: bool = False) -> PortPower:
    bus = FakeBus(*sockets, denied=denied)

    async def look() -> Topology:
        await trio.lowlevel.checkpoint()
        return topology

    return PortPower(bus, look, bus.open_switch)  # type: ignore[arg-type]  # it opens no pipe


async def cycled(topology: Topology, one: FakeSocket, *ports: PortPath) -> PowerProof:
    return await power(topology, one).cycle(ports or (HIGH,), off_s=OFF_S)


def said(one: FakeSocket) -> list[str]:
    return [what for _, what in one.log if not what.startswith("close")]


async def test_a_hub_that_switches(topology: Topology, autojump_clock: MockClock) -> None:
    one = socket()
    proof = await cycled(topology, one)
    assert proof.verdict is Switched.SWITCHES
    assert proof.left_s == pytest.approx(0, abs=0.1)
    assert proof.back_s == pytest.approx(one.boot_s, abs=0.1)
    off_s = dict(zip([what for _, what in one.log], [at for at, _ in one.log], strict=True))
    assert off_s[f"restore {SUPER}"] - off_s[f"cut {HIGH}"] >= OFF_S
    assert all(one.powered.values())


async def test_both_companions_go_off_and_the_faster_is_on_first(
    topology: Topology, autojump_clock: MockClock
) -> None:
    one = socket()
    await cycled(topology, one)
    assert said(one) == [
        f"cut {HIGH}",
        f"cut {SUPER}",
        f"hold {SUPER}",
        f"hold {HIGH}",
        f"restore {SUPER}",
        f"restore {HIGH}",
    ]


async def test_a_hub_that_pretends(topology: Topology, autojump_clock: MockClock) -> None:
    one = socket(obeys=False)
    proof = await cycled(topology, one)
    assert (proof.verdict, proof.left_s, proof.back_s) == (Switched.PRETENDS, None, None)
    assert trio.current_time() == pytest.approx(LEAVE_S, abs=0.2)
    assert not any(what.startswith("hold") for what in said(one)), "the module would be lost"
    assert all(one.powered.values())


async def test_a_hub_that_tells_only_who_asks(
    topology: Topology, autojump_clock: MockClock
) -> None:
    proof = await cycled(topology, socket(tells=False))
    assert proof.verdict is Switched.SWITCHES
    assert proof.back_s == pytest.approx(12, abs=0.1)


async def test_a_hub_that_tells_only_who_asks_and_a_kernel_that_is_not_told(
    topology: Topology, autojump_clock: MockClock
) -> None:
    proof = await cycled(topology, socket(tells=False, can_hold=False))
    assert proof.verdict is Switched.SWITCHES


async def test_the_kernel_may_not_switch_it_on_again(
    topology: Topology, autojump_clock: MockClock
) -> None:
    """What `disable` is for; without it the port is cut again before anything can connect."""
    held = socket(kernel_meddles=True)
    assert (await cycled(topology, held)).verdict is Switched.SWITCHES
    assert held.glimpses_s == []
    loose = socket(kernel_meddles=True, can_hold=False)
    assert (await cycled(topology, loose)).verdict is Switched.SWITCHES
    assert len(loose.glimpses_s) == 1
    assert loose.glimpses_s[0] <= AGAIN_S


async def test_a_module_that_does_not_return(topology: Topology, autojump_clock: MockClock) -> None:
    proof = await cycled(topology, socket(returns=False))
    assert proof.verdict is Switched.NO_RETURN
    assert proof.left_s is not None
    assert proof.back_s is None
    assert "2c7c:0125 did not come back within 40 s" in proof.why
    assert "over-current" in (await cycled(topology, socket(returns=False, over_current=True))).why


async def test_an_empty_slot_proves_nothing(topology: Topology, autojump_clock: MockClock) -> None:
    one = FakeSocket((HIGH, SUPER))
    assert (await cycled(topology, one)).verdict is Switched.EMPTY
    assert said(one) == []


async def test_a_port_that_was_left_off_is_switched_on(
    topology: Topology, autojump_clock: MockClock
) -> None:
    one = socket()
    for path in one.ports:
        one.power(path, on=False)
    assert (await cycled(topology, one)).verdict is Switched.SWITCHES
    nobody = FakeSocket((HIGH, SUPER))
    nobody.power(HIGH, on=False)
    assert (await cycled(topology, nobody)).verdict is Switched.EMPTY
    assert all(nobody.powered.values())


@pytest.mark.parametrize("when_s", [0.0, 0.01, 1.0])
async def test_cancelled_the_port_is_on_again(
    topology: Topology, autojump_clock: MockClock, when_s: float
) -> None:
    one = socket()
    with trio.move_on_after(when_s):
        await cycled(topology, one)
        pytest.fail("it should have been cancelled")
    assert all(one.powered.values())
    assert not any(one.held.values())


async def test_a_hub_that_fails_has_its_ports_on_again(
    topology: Topology, autojump_clock: MockClock
) -> None:
    one = socket(fails={f"cut {SUPER}": Timeout("no answer")})
    with pytest.raises(Timeout):
        await cycled(topology, one)
    assert said(one)[-2:] == [f"restore {SUPER}", f"restore {HIGH}"]
    assert all(one.powered.values())


async def test_one_port_that_fails_does_not_keep_the_other_dark(
    topology: Topology, autojump_clock: MockClock
) -> None:
    one = socket(fails={f"restore {SUPER}": Disconnected("the hub is gone")})
    with pytest.raises(Disconnected, match=rf"hub is gone; port {SUPER} may be without power"):
        await cycled(topology, one)
    assert one.powered[HIGH]
    assert f"close {SUPER}" in [what for _, what in one.log]


@pytest.mark.parametrize(
    ("switching", "words"),
    [(Switching.GANGED, "all its ports together"), (Switching.NONE, "no power switches")],
)
async def test_a_hub_without_a_switch_for_each_port(
    topology: Topology, autojump_clock: MockClock, switching: Switching, words: str
) -> None:
    one = socket(switching=switching)
    proof = await cycled(topology, one)
    assert proof.verdict is Switched.NOT_SWITCHABLE
    assert words in proof.why
    assert said(one) == []


async def test_without_access_nothing_is_done(
    topology: Topology, autojump_clock: MockClock
) -> None:
    one = socket()
    proof = await power(topology, one, denied=True).cycle((HIGH,), off_s=OFF_S)
    assert proof.verdict is Switched.NO_ACCESS
    assert one.log == []


async def test_neighbours_keep_their_power(topology: Topology, autojump_clock: MockClock) -> None:
    one, beside = socket(), FakeSocket((BESIDE,), BESIDE)
    proofs = {}

    async def cycle(path: PortPath) -> None:
        proofs[path] = await power(topology, one, beside).cycle((path,), off_s=OFF_S)

    await cycle(HIGH)
    assert beside.log == []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(cycle, HIGH)
        nursery.start_soon(cycle, BESIDE)
    assert {proof.verdict for proof in proofs.values()} == {Switched.SWITCHES}


async def test_a_hub_that_takes_the_neighbours_along(
    topology: Topology, autojump_clock: MockClock
) -> None:
    """It says that it switches each port, and switches all of them."""
    one = socket()
    beside = FakeSocket((PortPath.parse("1-3.4"),), PortPath.parse("1-3.4"), follows=one)
    proof = await power(topology, one, beside).cycle((HIGH,), off_s=OFF_S)
    assert proof.verdict is Switched.CUTS_OTHERS
    assert "1-3.4 left together with it" in proof.why
    assert all(one.powered.values())


async def test_neighbours_that_return_at_once_were_still_taken_along(
    topology: Topology, autojump_clock: MockClock
) -> None:
    """They are looked at while the port is off, and have their power back before its time."""
    one = socket()
    path = PortPath.parse("1-3.4")
    beside = FakeSocket((path,), path, boot_s=0.0, follows=one, follows_s=0.5)
    proof = await power(topology, one, beside).cycle((HIGH,), off_s=OFF_S)
    assert proof.verdict is Switched.CUTS_OTHERS
    (restored_s, *_) = [at_s for at_s, what in one.log if what.startswith("restore")]
    assert restored_s < OFF_S / 2


@pytest.mark.parametrize(
    ("is_blind", "verdict"), [(True, Switched.SWITCHES), (False, Switched.CUTS_OTHERS)]
)
async def test_one_of_two_neighbours_leaves_by_itself(
    topology: Topology, autojump_clock: MockClock, is_blind: bool, verdict: Switched
) -> None:
    """Others at work leave for download mode while the power of this one is off."""
    one = socket()
    works, stays = PortPath.parse("1-3.3"), PortPath.parse("1-3.4")
    beside = FakeSocket((works,), works, follows=one), FakeSocket((stays,), stays)
    hub = power(topology, one, *beside)
    proof = await hub.cycle((HIGH,), off_s=OFF_S, blind=is_blind)
    assert proof.verdict is verdict


@pytest.mark.parametrize(
    ("told", "verdict"), [(True, Switched.SWITCHES), (False, Switched.CUTS_OTHERS)]
)
async def test_the_only_neighbour_leaves_at_work(
    topology: Topology, autojump_clock: MockClock, told: bool, verdict: Switched
) -> None:
    """Told to start anew, its departure says nothing of the hub; else there is nobody who stayed,
    and the hub is not to be cut again."""
    one, path = socket(), PortPath.parse("1-3.3")
    hub = power(topology, one, FakeSocket((path,), path, follows=one))
    proof = await hub.cycle((HIGH,), off_s=OFF_S, blind=True, is_leaving=lambda _: told)
    assert proof.verdict is verdict


async def test_who_was_told_to_leave_cannot_clear_the_hub(
    topology: Topology, autojump_clock: MockClock
) -> None:
    """Everybody else left with it. Each is judged when it leaves, and not by its next step."""
    one = socket()
    leaves, works = PortPath.parse("1-3.3"), PortPath.parse("1-3.4")
    beside = [FakeSocket((path,), path, follows=one) for path in (leaves, works)]
    asked: list[PortPath] = []

    def told(device: DeviceInfo) -> bool:
        asked.append(device.path)
        return device.path == leaves

    proof = await power(topology, one, *beside).cycle(
        (HIGH,), off_s=OFF_S, blind=True, is_leaving=told
    )
    assert proof.verdict is Switched.CUTS_OTHERS
    assert f"sits on {works} left" in proof.why
    assert sorted(asked) == [leaves, works]


@pytest.mark.parametrize("module_on", [HIGH, None], ids=["module", "empty"])
async def test_a_tray_that_is_taken_along_at_work(
    topology: Topology, autojump_clock: MockClock, module_on: PortPath | None
) -> None:
    one = FakeSocket((HIGH, SUPER), module_on)
    paths = PortPath.parse("1-3.3"), PortPath.parse("1-3.4")
    beside = [FakeSocket((path,), path, follows=one) for path in paths]
    proof = await power(topology, one, *beside).cycle((HIGH,), off_s=OFF_S, blind=True)
    assert proof.verdict is Switched.CUTS_OTHERS
    assert "1-3.3, 1-3.4 left together with it" in proof.why
    (restored_s, *_) = [at_s for at_s, what in one.log if what.startswith("restore")]
    assert restored_s < OFF_S, "they have their power back before its time"


async def test_a_port_that_cannot_be_switched_on_again_is_told(
    topology: Topology, autojump_clock: MockClock
) -> None:
    one = socket(hangs=f"restore {SUPER}")
    with pytest.raises(UsbBroken, match=rf"within 10 s; port {SUPER} may be without power"):
        await cycled(topology, one)
    assert one.powered[HIGH]


async def test_what_is_refused_is_not_even_opened(
    topology: Topology, autojump_clock: MockClock
) -> None:
    one = socket()
    proof = await cycled(topology, one, PortPath.parse("1-3"))
    assert proof.verdict is Switched.NOT_SWITCHABLE
    assert "carries a hub" in proof.why
    assert one.log == []
