"""A module that was pulled out of the work in one slot and put into another."""

import trio

from station.engine.ports import SlotPort
from station.engine.world import World
from station.errors import Disconnected
from station.model import Notice, Unit

GIVEN_UP_S = 120.0
"""What a slot needs, beside its time for a hand to put the module back, to give it up."""

LOOK_S = 1.0


async def await_given_up(world: World, port: SlotPort, unit: Unit) -> None:
    """Until the slot that this module in EDL came from has ended its attempt: then it is an arrival
    like any other. When time is up the claim is refused as ever. Raises Disconnected if it leaves
    meanwhile."""
    chip, here, slot = unit.chip_serial, port.device, port.slot.name
    if chip is None:
        return
    known = await world.store.unit_by_chip(chip) or unit
    told = None
    with trio.move_on_after(world.settings.line.put_back_s + GIVEN_UP_S):
        while (holder := world.claims.holder(slot, known)) is not None:
            if told != holder:
                world.show(Notice(slot, f"waits until slot {holder} has given this module up"))
                told = holder
            with trio.move_on_after(LOOK_S):
                await world.claims.freed.wait()
            if port.device != here:
                raise Disconnected(f"the module left slot {slot} again")
