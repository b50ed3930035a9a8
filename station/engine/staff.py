"""The desk's business with people: whose shift it is, who works here, who may release what."""

import os

from station.engine.line import Line
from station.engine.people import Asker
from station.engine.place import Place
from station.engine.server import Peer
from station.errors import UsageError
from station.live import LineState
from station.model import Person, StationEvent
from station.wire import (
    CampaignAbort,
    CampaignRun,
    Command,
    OperatorAdd,
    OperatorRetire,
    Release,
    ShiftEnd,
    ShiftStart,
)


async def start_shift(line: Line, command: ShiftStart, peer: Peer) -> None:
    """On record before it counts. Raises NotRegistered, NotAllowed, UsageError, StoreError."""
    await line.shifts.start(_starter(line, command), peer)
    _shift_changed(line, command, peer)


async def end_shift(line: Line, command: ShiftEnd, peer: Peer, asked: StationEvent) -> bool:
    """On record before it counts, by `asked`, and signed soon. Whether the line was disarmed by it:
    nothing is flashed in nobody's shift. A campaign is in no shift, and goes on. Raises NoShift,
    NotRegistered, NotAllowed, StoreError.
    """
    line.people.check_worker(command.by)
    await line.shifts.end(asked)
    line.health.signer.shift_ended()
    is_disarmed = line.state is LineState.ARMED and line.floor.campaign is None
    if is_disarmed:
        line.go(LineState.DISARMED)
    _shift_changed(line, command, peer)
    return is_disarmed


def _starter(line: Line, command: ShiftStart) -> Person:
    match command:
        case ShiftStart(operator=str(name), badge=None):
            return line.people.worker(name)
        case ShiftStart(operator=None, badge=str(badge)):
            return line.people.worker(line.people.with_badge(badge).name)
        case _:
            raise UsageError("a shift is started by a name or by a badge")


def _shift_changed(line: Line, command: ShiftStart | ShiftEnd, peer: Peer) -> None:
    line.shift_changed()
    whose = "nobody" if line.shifts.now is None else line.shifts.now.operator
    line.feed.log(f"{command.do} by {_who(line, command, peer)}: on shift is {whose}")


async def change_people(line: Line, command: OperatorAdd | OperatorRetire, peer: Peer) -> None:
    """Raises as `People.change`."""
    world, asker = line.world, Asker(peer.uid, peer.user)
    who = _who(line, command, peer)  # whoever retires is known before it only
    await line.people.change(command, world.store, asker, world.clock())
    line.feed.log(f"{command.do} by {who}: {command.name}")


def _who(line: Line, command: Command, peer: Peer) -> str:
    """Not anybody's badge: what is logged is read by many."""
    return peer.user if command.by is None else line.people.on_record(command.by, peer.user).name


def who_begins(line: Line, command: CampaignRun, peer: Peer) -> Person | None:
    """A person must be an engineer with a reason; the station's own user, which its timer has, is
    nobody. Raises as `People.engineer`."""
    is_person = command.by not in (None, peer.user) or peer.uid not in (0, os.geteuid())
    if is_person:
        return line.people.engineer(command.by, command.reason)
    return None if command.by is None else Person(command.by)


def who_ends(line: Line, command: CampaignAbort) -> Person:
    """Raises as `People.engineer`."""
    return line.people.engineer(command.by, command.reason) or Person(command.by)


def check_release(line: Line, command: Release, place: Place) -> None:
    """What an engineer holds, an engineer releases, with a reason; anything else whoever works
    here. Raises as `People.engineer`."""
    if place.is_held_by_engineer:
        line.people.engineer(command.by, command.reason)
    else:
        line.people.check_worker(command.by)
