"""What is on record of the desk's work: who asked for what, by name, role and the socket's user."""

from dataclasses import dataclass

from station.engine.line import Line
from station.engine.server import Peer
from station.errors import StoreError
from station.model import Person, StationEvent
from station.store.ids import new_id
from station.wire import Arm, CampaignAbort, Command, Hold, Lift


@dataclass(frozen=True, slots=True)
class DeskLog:
    """`note` for what is done already, `record` for what does not count before it is committed."""

    line: Line

    async def note(
        self,
        command: Command,
        peer: Peer,
        *,
        kind: str | None = None,
        slot: str | None = None,
        detail: dict[str, str | int] | None = None,
    ) -> None:
        """Record what is done already; if that fails, it is done all the same."""
        try:
            await self.record(command, peer, kind=kind, slot=slot, detail=detail)
        except StoreError as error:
            what = f"{kind or command.do} is done, but not recorded: {error.cause}"
            self.line.feed.log(what, slot=slot, good=False)

    async def record(
        self,
        command: Command,
        peer: Peer,
        *,
        kind: str | None = None,
        slot: str | None = None,
        detail: dict[str, str | int] | None = None,
    ) -> None:
        """Who asked for it. Raises StoreError."""
        actor = command.operator if isinstance(command, Arm) else command.by
        who = self.person(actor, peer)
        event = self.event(peer, kind or command.do, who, slot=slot, detail=detail)
        await self.line.world.store.add_event(event)
        self.tell(command, event)

    def person(self, said: str | None, peer: Peer) -> Person | None:
        return None if said is None else self.line.people.on_record(said, peer.user)

    def event(
        self,
        peer: Peer,
        kind: str,
        person: Person | None,
        *,
        slot: str | None = None,
        detail: dict[str, str | int] | None = None,
    ) -> StationEvent:
        role = None if person is None or person.role is None else person.role.value
        return StationEvent(
            event_id=new_id(),
            station=self.line.world.settings.station.name,
            utc_us=self.line.world.clock(),
            kind=kind,
            actor=None if person is None else person.name,
            peer_uid=peer.uid,
            peer_user=peer.user,
            slot=slot,
            detail=detail or {},
            role=role,
        )

    def tell(self, command: Command, event: StationEvent) -> None:
        """In the event log, too."""
        who = event.actor or event.peer_user
        self.line.feed.log(f"{event.kind} by {who}{_told(command)}", slot=event.slot)


def _told(command: Command) -> str:
    """What else the event log says of a command."""
    match command:
        case Arm(recipes=recipes):
            return ": " + ", ".join(f"{choice.name} {choice.sha256[:8]}" for choice in recipes)
        case Hold(reason=reason) | Lift(reason=reason) | CampaignAbort(reason=reason):
            return f": {reason}"
        case _:
            return ""
