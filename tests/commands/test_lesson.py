"""The walk through the tray, look by look."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from station.commands.lesson import SETTLE_S, Lesson, Said, Unusable, socket_of
from station.places import PortPath
from station.transport.topology import read_topology
from tests.fakes.sysfs import SysfsTree

MODULE = "2c7c:0125"


class Hands:
    """Plug and unplug, look, and hear what is said; each look is a moment later."""

    def __init__(self, tree: SysfsTree, lesson: Lesson) -> None:
        self.tree = tree
        self.lesson = lesson
        self.now_s = 100.0
        self.look(0.0)

    def look(self, later_s: float = 0.1) -> list[Said]:
        self.now_s += later_s
        return list(self.lesson.look(read_topology(self.tree.root), self.now_s))

    def kinds(self, later_s: float = 0.1) -> list[str]:
        return [said.kind for said in self.look(later_s)]

    def plug(self, name: str, usb_id: str = MODULE, speed: str = "480") -> None:
        self.tree.device(name, usb_id, speed=speed)

    def unplug(self, name: str) -> None:
        shutil.rmtree(self.tree.home(name))
        (self.tree.flat / name).unlink()
        for face in self.tree.flat.glob(f"{name}:*"):
            face.unlink()

    def teach(self, name: str) -> None:
        self.plug(name)
        assert self.kinds() == []
        assert self.kinds(SETTLE_S) == ["learned"]


@pytest.fixture
def tree(tmp_path: Path) -> SysfsTree:
    """Two USB 3 hubs on a controller; the ports of the second have no companions."""
    tree = SysfsTree(tmp_path / "sys")
    intel = tree.controller("pci0000:00/0000:00:14.0", "pci", "xhci_hcd")
    tree.root_hub(intel, bus=1, ports=4)
    tree.root_hub(intel, bus=2, ports=4, version="3.00", speed="5000")
    tree.peer("usb1", 1, "usb2", 1)
    tree.hub("1-1", ports=4)
    tree.hub("2-1", ports=4, speed="5000")
    for number in range(1, 5):
        tree.peer("1-1", number, "2-1", number)
    tree.hub("1-2", ports=4)
    tree.hub("2-2", ports=4, speed="5000")
    return tree


def lesson(*slots: str, claim: Callable[[PortPath], None] = lambda _: None) -> Lesson:
    return Lesson(
        slots, lambda d: d.usb_id == MODULE, lambda d: f"{d.usb_id}, whatever", claim=claim
    )


@pytest.fixture
def hands(tree: SysfsTree) -> Hands:
    return Hands(tree, lesson("A1", "A2"))


def places(hands: Hands) -> dict[str, list[str]]:
    return {slot: list(map(str, s.paths)) for slot, s in hands.lesson.learned.items()}


def test_a_new_module_for_each_slot(hands: Hands) -> None:
    hands.teach("1-1.1")
    assert hands.lesson.current == "A2"
    hands.teach("1-1.4")
    assert hands.lesson.current is None
    assert places(hands) == {"A1": ["1-1.1", "2-1.1"], "A2": ["1-1.4", "2-1.4"]}
    assert list(map(str, hands.lesson.learned["A2"].locations)) == [
        "pci-0000:00:14.0-usbv2-0:1.4",
        "pci-0000:00:14.0-usbv3-0:1.4",
    ]


def test_one_module_that_is_moved(hands: Hands) -> None:
    hands.teach("1-1.1")
    hands.unplug("1-1.1")
    assert hands.kinds() == []
    hands.teach("1-2.3")
    assert places(hands)["A2"] == ["1-2.3"]


def test_it_does_not_count_before_it_has_stayed(hands: Hands) -> None:
    hands.plug("1-1.1")
    assert hands.kinds() == []
    assert hands.lesson.due_s() == hands.now_s + SETTLE_S
    assert hands.kinds(SETTLE_S - 0.01) == []
    assert hands.kinds(0.02) == ["learned"]
    assert hands.lesson.due_s() is None


def test_it_leaves_too_early(hands: Hands) -> None:
    hands.plug("1-1.1")
    hands.look()
    hands.unplug("1-1.1")
    assert hands.kinds() == ["left"]
    assert hands.kinds(SETTLE_S) == []
    hands.teach("1-1.1")


def test_two_on_one_port_within_a_second(hands: Hands) -> None:
    hands.plug("1-1.1")
    hands.look()
    hands.unplug("1-1.1")
    hands.plug("1-1.1")  # between two looks: another number
    assert hands.kinds(0.5) == ["unsteady"]
    assert hands.kinds(0.9) == []
    assert hands.kinds(0.2) == ["learned"]


@pytest.mark.parametrize("apart_s", [0.0, 0.6])
def test_two_modules_at_once(hands: Hands, apart_s: float) -> None:
    hands.plug("1-1.1")
    if apart_s:
        assert hands.kinds() == []
    hands.plug("1-1.2")
    [said] = hands.look(apart_s)
    assert said.kind == "too many"
    assert "1-1.1 and 1-1.2" in said.words
    assert hands.kinds(5 * SETTLE_S) == []
    hands.unplug("1-1.1")
    hands.unplug("1-1.2")
    hands.look()
    hands.teach("1-1.1")


def test_a_slot_that_was_learned_already(hands: Hands) -> None:
    hands.teach("1-1.1")
    hands.unplug("1-1.1")
    hands.look()
    hands.plug("2-1.1", speed="5000")  # the other side of the same socket
    [said] = hands.look()
    assert (said.kind, said.words) == ("known", "2-1.1: that is A1 already")
    assert hands.kinds() == []


def test_a_super_speed_module_brings_both_sides(hands: Hands) -> None:
    hands.plug("2-1.3", speed="5000")
    hands.look()
    assert hands.kinds(SETTLE_S) == ["learned"]
    assert places(hands)["A1"] == ["1-1.3", "2-1.3"]


def test_a_super_speed_port_whose_other_side_is_not_known(hands: Hands) -> None:
    hands.plug("2-2.3", speed="5000")
    [said] = hands.look()
    assert said.kind == "unusable"
    assert "USB 2 side is not known" in said.words


def test_a_usb_3_module_on_a_port_without_companion_is_told(hands: Hands) -> None:
    hands.tree.device("1-2.2", MODULE, version="2.10")
    assert hands.kinds() == []
    learned, missing = hands.look(SETTLE_S)
    assert (learned.kind, missing.kind, missing.slot) == ("learned", "no usb 3", "A1")
    assert places(hands)["A1"] == ["1-2.2"]
    assert "USB 3 cable" in missing.words


def test_a_usb_3_module_on_its_usb_2_side_brings_the_companion(hands: Hands) -> None:
    hands.tree.device("1-1.2", MODULE, version="2.10")
    hands.look()
    assert hands.kinds(SETTLE_S) == ["learned"]
    assert places(hands)["A1"] == ["1-1.2", "2-1.2"]


def test_companions_that_contradict_each_other(tree: SysfsTree, hands: Hands) -> None:
    tree.half_peer("1-2", 1, "2-1", 1)
    hands.plug("1-2.1")
    [said] = hands.look()
    assert said.kind == "unusable"
    assert "its companion is 2-1.1, and that one does not agree" in said.words


def test_a_mouse_and_a_hub(hands: Hands) -> None:
    hands.plug("1-1.1", "046d:c077")
    [mouse] = hands.look()
    assert (mouse.kind, mouse.slot) == ("stranger", "A1")
    assert "046d:c077" in mouse.words
    hands.tree.hub("1-1.2", ports=4)
    [hub] = hands.look()
    assert hub.kind == "hub"
    assert hands.kinds(SETTLE_S) == []
    hands.teach("1-1.2.3")


def test_what_was_there_before_is_named_and_counts_only_when_it_comes_anew(
    tree: SysfsTree,
) -> None:
    tree.device("1-1.1", MODULE)
    tree.device("1-1.2", "046d:c077")
    asked = lesson("A1")
    [said] = asked.look(read_topology(tree.root), 0.0)
    assert (said.kind, str(said.path)) == ("ignored", "1-1.1")
    hands = Hands(tree, asked)
    assert hands.kinds(10.0) == []
    hands.unplug("1-1.1")
    hands.look()
    hands.teach("1-1.1")


def test_a_port_that_an_engine_owns(tree: SysfsTree) -> None:
    def taken(_: PortPath) -> None:
        raise Unusable("an engine works with it")

    hands = Hands(tree, lesson("A1", claim=taken))
    hands.plug("1-1.1")
    assert hands.kinds() == ["unusable"]
    assert hands.kinds(SETTLE_S) == []


def test_a_port_that_is_not_in_the_tree(tree: SysfsTree) -> None:
    with pytest.raises(Unusable, match="no such port"):
        socket_of(PortPath.parse("1-1.9"), read_topology(tree.root))
