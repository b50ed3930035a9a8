"""Modules with a fault of their own: the named ones of `station.sim.faults`, and what else a boot
ROM was seen to do."""

from dataclasses import dataclass

from station.protocols.sahara import Status
from station.sim.factory import Factory
from station.sim.faults import FAULTS, Arrival, Traits
from station.sim.mishap import NONE, Mishap
from station.sim.module import SimModule
from station.sim.port import Face, Reaction
from station.sim.timing import Timing


@dataclass(frozen=True, slots=True)
class Odd:
    """How a module is. `doubled_hellos`: in so many sessions its HELLO comes twice."""

    traits: Traits = Traits()  # noqa: RUF009 - frozen
    timing: Timing = Timing()  # noqa: RUF009 - frozen
    doubled_hellos: int = 0

    def made_by(self, factory: Factory, mishap: Mishap = NONE) -> SimModule:
        made = factory.make(traits=self.traits, timing=self.timing, mishap=mishap, log_out=False)
        if self.doubled_hellos:
            made.__class__ = GreetsTwice
            assert isinstance(made, GreetsTwice)
            made.doubled_hellos = self.doubled_hellos
        return made

    @property
    def starts_in_edl(self) -> bool:
        """Only a person can say what it is."""
        return self.traits.arrival in (Arrival.EDL, Arrival.PROGRAMMER)


class GreetsTwice(SimModule):
    doubled_hellos: int

    def enumerated(self, face: Face) -> tuple[Reaction, ...]:
        reactions = super().enumerated(face)
        if self.mode != "sahara" or self.doubled_hellos == 0:
            return reactions
        self.doubled_hellos -= 1
        return *reactions[:1], *reactions


HEALTHY = Odd()

LOST = (Status.HARDWARE_BULK_TRANSFER_ERROR,)
"""What END_IMAGE says of an error on the wire."""

ODD = {name: Odd(fault.traits) for name, fault in FAULTS.items()} | {
    "doubled-hello": Odd(doubled_hellos=1),
    "doubled-hello-always": Odd(doubled_hellos=1_000_000),
    "late-hello": Odd(timing=Timing(hello_s=1.2)),
    "end-image-error": Odd(Traits(refuses_with=LOST[0])),
}
"""By name. A HELLO is late if the host has spoken first; END_IMAGE tells of an error that may pass,
and never does."""
