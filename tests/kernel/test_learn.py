"""A tray is learned by plugging, on a real kernel with QEMU's hub; then the hub is moved."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import pytest

from station.commands.checks.finding import Finding, Grade
from station.commands.checks.ground import Ground
from station.commands.checks.tray import tray
from station.commands.slots import list_slots
from station.config import load_families, load_settings
from station.transport.topology import read_topology
from tests.demo_line import demo_line
from tests.kernel.kernel import DEVICES, until
from tests.kernel.qmp import Monitor, monitor
from tests.programs import Program, forked

XHCI = "0000:00"
HUB = {"port-power": True, "serial": "HUB-A"}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A line whose slots are not known yet."""
    settings = demo_line(tmp_path / "line", ["A1"])
    text = settings.read_text()
    settings.write_text(text[: text.index("slots:")] + "slots: slots.yaml\n")
    return settings


@pytest.fixture
def bus() -> str:
    """The number of the USB 2 bus of QEMU's controller."""
    roots = [root for root in DEVICES.glob("usb*") if XHCI in str(root.resolve())]
    [slow] = [r for r in roots if (r / "version").read_text().strip().startswith("2")]
    return slow.name.removeprefix("usb")


def plug_hub(qemu: Monitor, bus: str, port: str) -> None:
    qemu.plug("usb-hub", "hub", "xhci", port, **HUB)
    assert until((DEVICES / f"{bus}-{port}/{bus}-{port}:1.0/driver").exists)


def unplug(qemu: Monitor, name: str, path: str) -> None:
    qemu.unplug(name)
    assert until(lambda: not (DEVICES / path).exists())


@contextmanager
def learning(config: Path, *more: str) -> Iterator[tuple[Program, TextIO]]:
    """The learner, and what it says."""
    arguments = ["slots", "learn", "--json", "--wait", "90", "--config", str(config), *more]
    heard, says = os.pipe()
    with (
        os.fdopen(heard) as said,
        os.fdopen(says, "w") as out,
        config.with_name("log").open("w") as log,
    ):
        program = forked(arguments, out, log)
        out.close()  # its end is the end of what is said
        try:
            yield program, said
        finally:
            program.kill()


def heard(output: TextIO, kind: str) -> dict[str, Any]:
    """The next line of this kind; the test fails if the program ends before."""
    for line in output:
        said: dict[str, Any] = json.loads(line)
        if said["kind"] == kind:
            return said
    raise AssertionError(f"it never said {kind}")


def misplaced(config: Path) -> list[Finding]:
    """What the doctor says of slots that are not in their place."""
    ground = Ground(load_settings(config), load_families(), read_topology())
    return [finding for finding in tray(ground) if finding.grade is Grade.BAD]


def test_two_slots_are_learned_and_disabled_by_name_when_the_hub_moves(
    config: Path, bus: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with monitor() as qemu:
        plug_hub(qemu, bus, "1")
        try:
            learn_two(qemu, config)
            assert misplaced(config) == []
            unplug(qemu, "second", f"{bus}-1.3")
            unplug(qemu, "hub", f"{bus}-1")
            plug_hub(qemu, bus, "2")
            [moved] = misplaced(config)
            list_slots(config, as_json=False)
        finally:
            qemu.unplug("hub")
    assert moved.what == "U120 HUB MOVED: nothing is flashed in A1, A2"
    assert f"({bus}-2)" in moved.why
    assert "HUB MOVED" in capsys.readouterr().out


def learn_two(qemu: Monitor, config: Path) -> None:
    """A1 by a mouse that is taken out again, A2 by a keyboard; a mouse is no module by itself."""
    with learning(config, "--slots", "A1,A2", "--any") as (learner, said):
        assert heard(said, "waiting")["slot"] == "A1"
        qemu.plug("usb-mouse", "first", "xhci", "1.2")
        assert heard(said, "learned")["locations"][0].endswith("-0:1.2")
        qemu.unplug("first")
        qemu.plug("usb-kbd", "second", "xhci", "1.3")
        assert heard(said, "learned")["slot"] == "A2"
        assert heard(said, "written")["is_named"] is True
        assert learner.wait(60) == 0
    text = config.with_name("slots.yaml").read_text()
    assert '"HUB-A"' in text


def test_a_mouse_is_no_module(config: Path) -> None:
    with monitor() as qemu, learning(config, "--slots", "A1") as (learner, said):
        heard(said, "waiting")
        qemu.plug("usb-mouse", "mouse", "xhci", "3")
        try:
            assert heard(said, "stranger")["slot"] == "A1"
            learner.send_signal(2)
            assert learner.wait(60) == 1
        finally:
            qemu.unplug("mouse")
    assert not config.with_name("slots.yaml").exists()
