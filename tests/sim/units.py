"""Simulated modules of a small release and a host that flashes them as it should be done."""

from station.sim.factory import Factory
from station.sim.faults import FAULTS, Traits
from station.sim.images import image_lengths, image_pieces
from station.sim.layouts import LAYOUTS, Layout, Part
from station.sim.module import SimModule
from tests.sim import literals
from tests.sim.host import Host

FACTORIES = {family: Factory(family, size_mb=1, seed=7) for family in LAYOUTS}


def module(fault: str | None = None, family: str = "ec25", *, tolerant: bool = False) -> SimModule:
    traits = FAULTS[fault].traits if fault else Traits()
    return FACTORIES[family].make(traits=traits, tolerant=tolerant)


def image(layout: Layout, part: Part) -> bytes:
    """The image of a newer release; its partition table is the family's."""
    layout = LAYOUTS[layout.family]
    length = image_lengths(layout, 1)[part.name]
    return b"".join(image_pieces(layout, part, length, layout.newer_version, 0))


def at(host: Host, command: bytes) -> bytes:
    """The first line of the reply, without echo."""
    host.open(2)
    host.read_all(2)
    host.send(b"ATE0\r", 2)
    host.read_all(2)
    lines = host.ask(command + b"\r", 2).split(b"\r\n")
    return next((line for line in lines if line and line != b"+QIND: SMS DONE"), b"")


def flash(host: Host, layout: Layout) -> list[bytes]:
    """Boot loader erased first and written last; the answers to each program."""
    host.ask(literals.CONFIGURE)
    for part in layout.programmed:
        literals.erase(host, layout, part)
    answers = [
        literals.program(host, layout, part, image(layout, part))
        for part in (*layout.programmed[1:], layout.boot_loader)
    ]
    host.send(literals.POWER_RESET)
    host.read_all()
    return answers


def flashed(fault: str | None, family: str = "ec25") -> tuple[SimModule, Host]:
    """Flashed as a strict host does it; the module is on its way back."""
    unit = module(fault, family)
    host = Host(unit)
    assert literals.to_edl(host) == "05c6:9008"
    literals.load(host, unit.layout)
    flash(host, unit.layout)
    return unit, host
