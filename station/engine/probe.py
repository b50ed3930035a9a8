"""Who is in a slot, asked without an attempt: nothing is changed and nothing recorded."""

from collections.abc import Callable

from station.engine.ports import SlotPort
from station.engine.world import World
from station.flash.identify import identify
from station.flash.runner import StepRunner
from station.flash.session import Session, Step
from station.model import Identifier, ImageSent, StepRecord, Unit

PROBE_S = 30.0
"""A module that is booting answers by then."""


class _Nowhere:
    """A `station.flash.session.Recorder` for questions that leave no record."""

    async def step(self, record: StepRecord) -> None: ...

    async def image(self, image: ImageSent) -> None: ...

    async def identifiers(self, identifiers: tuple[Identifier, ...]) -> None: ...

    async def learn(self, identifiers: tuple[Identifier, ...]) -> None: ...


async def probe(world: World, port: SlotPort, said: Callable[[str], None]) -> Unit:
    """What the module says of itself by reads alone. Raises StationError."""
    session = Session(
        backend=world.backend,
        port=port,
        families=world.families,
        recorder=_Nowhere(),
        watch=lambda _: None,
    )
    try:
        await StepRunner(session, said).run(Step("identify", identify), limit_s=PROBE_S)
    finally:
        await session.close()
    return session.unit
