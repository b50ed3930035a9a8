"""`station slots learn`: from the first question to the file."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
import trio.testing

from station.commands.exits import Exit
from station.commands.slots_learn import LOOK_S, Learning, learn, parse_slots
from station.config import load_settings, load_settings_to_learn
from station.engine.lock import own
from station.errors import ConfigError, EngineRunning, UsageError
from station.places import PortPath
from station.transport.locate import locate
from station.transport.topology import read_topology
from tests.commands.test_cli import station
from tests.commands.test_lesson import MODULE, tree
from tests.demo_line import demo_line
from tests.fakes.sysfs import SysfsTree
from tests.mock_time import time_passes

__all__ = ["tree"]

Action = Callable[[], object]


class Script:
    """Hands that act when the walk waits for them; then nobody comes any more."""

    def __init__(self, *actions: Action) -> None:
        self.actions = list(actions)
        self.has_acted = False

    async def wait_change(self, timeout_s: float) -> None:
        """One action, then a pause that lets it settle."""
        self.has_acted = bool(self.actions) and not self.has_acted
        if self.has_acted:
            self.actions.pop(0)()
        else:
            await time_passes(timeout_s)


def no(_: str) -> bool:
    return False


def interrupted() -> None:
    raise KeyboardInterrupt


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return demo_line(tmp_path / "line", ["A1", "A2"])


def run(
    config: Path, tree: SysfsTree, asked: Learning, *actions: Action, confirm: object = no
) -> Exit:
    return learn(
        load_settings_to_learn(config),
        asked,
        Script(*actions).wait_change,
        confirm,  # type: ignore[arg-type]
        tree.root,
        trio.testing.MockClock(autojump_threshold=0),
    )


def plugs(tree: SysfsTree, *names: str) -> list[Action]:
    return [lambda name=name: tree.device(name, MODULE) for name in names]  # type: ignore[misc]


def test_the_map_is_written_and_found_again(
    config: Path, tree: SysfsTree, capsys: pytest.CaptureFixture[str]
) -> None:
    tree.write("1-1", "serial", "HUB-A")
    assert run(config, tree, Learning(), *plugs(tree, "1-1.1", "1-2.3")) is Exit.GOOD
    out, err = capsys.readouterr()
    assert err.splitlines()[:2] == [
        "plug a module into A1",
        "A1 is 1-1.1 and 2-1.1 (pci-0000:00:14.0-usbv2-0:1.1, pci-0000:00:14.0-usbv3-0:1.1)",
    ]
    assert err.endswith("\n\nslots: slots.yaml\n")
    written = config.with_name("slots.yaml")
    assert out == written.read_text()

    text = re.sub(r"slots:\n(  .*\n)+", "slots: slots.yaml\n", config.read_text())
    config.write_text(text)
    settings = load_settings(config)
    found = locate(settings.slots, settings.hubs, read_topology(tree.root))
    assert not found.mismatches
    assert [sorted(map(str, slot.ports)) for slot in found.slots] == [["1-1.1", "2-1.1"], ["1-2.3"]]
    assert [(hub.name, str(hub.location), hub.serial) for hub in settings.hubs] == [
        ("A", "pci-0000:00:14.0-usbv2-0:1", "HUB-A"),
        ("A-usb3", "pci-0000:00:14.0-usbv3-0:1", None),
        ("B", "pci-0000:00:14.0-usbv2-0:2", None),
    ]


def test_a_map_that_is_named_but_not_there_yet(config: Path, tree: SysfsTree) -> None:
    text = re.sub(r"slots:\n(  .*\n)+", "slots: tray/map.yaml\n", config.read_text())
    config.write_text(text + "tray: {expect: [B1]}\n")
    with pytest.raises(ConfigError):
        load_settings(config)
    with pytest.raises(UsageError, match="say which slots"):
        run(config, tree, Learning())
    with pytest.raises(UsageError, match="there is no folder"):
        run(config, tree, Learning(("B1",)))
    (config.parent / "tray").mkdir()
    assert run(config, tree, Learning(("B1",)), *plugs(tree, "1-1.1")) is Exit.GOOD
    assert [slot.name for slot in load_settings(config).slots] == ["B1"]


def test_the_old_map_is_kept_beside_with_its_recipes(config: Path, tree: SysfsTree) -> None:
    old = config.with_name("slots.yaml")
    old.write_text('slots: {A1: {ports: ["1-4"], recipe: ec25-demo}}\n')
    old.chmod(0o604)
    config.write_text(re.sub(r"slots:\n(  .*\n)+", "slots: slots.yaml\n", config.read_text()))
    before = old.read_bytes()
    assert run(config, tree, Learning(), *plugs(tree, "1-1.1")) is Exit.GOOD
    [backup] = config.parent.glob("slots.yaml.*.bak")
    assert backup.read_bytes() == before
    assert load_settings(config).slots[0].recipe == "ec25-demo"
    assert old.stat().st_mode & 0o777 == 0o604


@pytest.mark.parametrize("end", ["interrupt", "nobody", "nobody asked"])
def test_whoever_stops_half_way_has_changed_nothing(
    config: Path, tree: SysfsTree, end: str, capsys: pytest.CaptureFixture[str]
) -> None:
    old = config.with_name("slots.yaml")
    old.write_text("whatever this was")
    actions = plugs(tree, "1-1.1")
    if end == "interrupt":
        actions.append(interrupted)
    assert run(config, tree, Learning(wait_s=5.0), *actions) is Exit.VERDICT
    assert "nothing was changed" in capsys.readouterr().err
    assert old.read_text() == "whatever this was"
    assert sorted(config.parent.glob("*slots.yaml*")) == [old]


def test_a_part_is_kept_if_the_person_says_so(config: Path, tree: SysfsTree) -> None:
    asked = Learning(wait_s=5.0, partial=True)
    assert run(config, tree, asked, *plugs(tree, "1-1.1")) is Exit.VERDICT
    assert "A1" in config.with_name("slots.yaml").read_text()
    assert "A2" not in config.with_name("slots.yaml").read_text()


def test_nothing_learned_is_no_part(config: Path, tree: SysfsTree) -> None:
    assert run(config, tree, Learning(wait_s=2.0, partial=True)) is Exit.VERDICT
    assert not config.with_name("slots.yaml").exists()


def test_any_device_will_do(config: Path, tree: SysfsTree) -> None:
    stick: list[Action] = [lambda: tree.device("1-1.2", "0781:5567")]
    assert run(config, tree, Learning(("A1",), wait_s=3.0), *stick) is Exit.VERDICT
    stick = [lambda: tree.device("1-1.3", "0781:5567")]
    assert run(config, tree, Learning(("A1",), any_device=True), *stick) is Exit.GOOD


def test_json_lines(config: Path, tree: SysfsTree, capsys: pytest.CaptureFixture[str]) -> None:
    run(config, tree, Learning(("A1",), json=True), *plugs(tree, "1-1.1"))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["kind"] for line in lines] == ["waiting", "learned", "written"]
    assert (lines[1]["slot"], lines[1]["path"]) == ("A1", "1-1.1")
    assert lines[1]["locations"] == [
        "pci-0000:00:14.0-usbv2-0:1.1",
        "pci-0000:00:14.0-usbv3-0:1.1",
    ]
    assert lines[2]["is_named"] is False


def test_it_refuses_while_an_engine_owns_the_ports(config: Path, tree: SysfsTree) -> None:
    with own(None, [PortPath.parse("1-1.1")]), pytest.raises(EngineRunning, match=r"1-1\.1"):
        run(config, tree, Learning(("A1",)))
    with own(None, [PortPath.parse("1-2.2")]):  # no slot of these settings
        asked = Learning(("A1",), wait_s=LOOK_S)
        assert run(config, tree, asked, *plugs(tree, "1-2.2")) is Exit.VERDICT


def test_slots_as_people_write_them() -> None:
    assert parse_slots("A1..A3, B1,x-9..x-10") == ("A1", "A2", "A3", "B1", "x-9", "x-10")
    assert parse_slots("1..2") == ("1", "2")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A1..A1,A1", "twice"),
        ("A3..A1", "backwards"),
        ("A1..B2", "not a slot's name"),
        ("", "not a slot's name"),
        ("A1,,A2", "not a slot's name"),
        ("A1..A999", "256 slots are the most"),
        ("A" * 17, "not a slot's name"),
    ],
)
def test_slots_that_cannot_be(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse_slots(text)


def test_the_command_refuses_nonsense(config: Path) -> None:
    done = station("slots", "learn", "--slots", "A1..", "--config", config, cwd=config.parent)
    assert done.returncode == 2
    assert "not a slot's name" in done.stderr
    done = station("slots", "learn", "--config", config.with_name("x"), cwd=config.parent)
    assert done.returncode == 2


def test_rights_of_a_first_map_are_those_of_the_settings(config: Path, tree: SysfsTree) -> None:
    config.chmod(0o640)
    run(config, tree, Learning(("A1",)), *plugs(tree, "1-1.1"))
    state = config.with_name("slots.yaml").stat()
    assert (state.st_mode & 0o777, state.st_uid) == (0o640, config.stat().st_uid)
