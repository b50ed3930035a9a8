"""Who may do what on this station. While it knows no engineer, nobody is asked for a name it knows.

A name is what somebody says, a badge what they hold; who is at the socket's other end is recorded
beside them.
"""

import hashlib
from dataclasses import dataclass, field

import trio

from station.errors import LastEngineer, NameTaken, NotAllowed, NotRegistered, UsageError
from station.model import Operator, Person, Role
from station.store.ids import new_id
from station.store.unit_events import QUARANTINED, RELEASED, Judgement
from station.store.writer import Store
from station.wire import OperatorAdd, OperatorRetire, Quarantine, ReleaseUnit, is_readable

WORKERS = (Role.OPERATOR, Role.ENGINEER)

SHOWN_DIGITS = 12
"""Of a digest, to tell one unknown word from another, or which badge of the register it was."""


def badge_sha256(station: str, badge: str) -> str:
    """What is kept of a badge: on another station the same badge is another number."""
    return hashlib.sha256(f"{station}\0{badge}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Asker:
    """The user who asks for a change, as the kernel says."""

    uid: int | None
    user: str | None


@dataclass(slots=True)
class People:
    """Those who are registered, by name, and those who were; changed by `note` when it is on
    record."""

    station: str
    _active: dict[str, Operator] = field(default_factory=dict)
    _left: dict[str, Operator] = field(default_factory=dict)
    _badges: dict[str, Operator] = field(default_factory=dict)  # by digest: whose it was last
    _changing: trio.Lock = field(default_factory=trio.Lock)

    @property
    def is_checked(self) -> bool:
        """From the first engineer on."""
        return any(one.role is Role.ENGINEER for one in self._active.values())

    def note(self, operator: Operator) -> None:
        """This is on record now."""
        key = _key(operator.name)
        if operator.is_active:
            self._active[key] = operator
        else:
            self._active.pop(key, None)
            self._left[key] = operator
        if operator.badge_sha256 is not None:
            self._badges[operator.badge_sha256] = operator

    # --- who ---------------------------------------------------------------------------------

    def named(self, said: str) -> Person:
        """Who that is, by badge or name; somebody unknown is who they say. Whoever left has no role
        any more, and their badge still says their name."""
        found = self._found(said)
        if found is None:
            return Person(said)
        return Person(found.name, found.role if found.is_active else None)

    def on_record(self, said: str, user: str) -> Person:
        """The same, for what anybody may ask for. Where people are checked, a word that nobody goes
        by may be a badge that was never read right, or was given back long ago: not the word is
        written down, but the beginning of its digest. `user`, as the kernel says it, is no badge.
        """
        if said == user or not self.is_checked or self._found(said) is not None:
            return self.named(said)
        return Person(f"unknown {self._digest(said)[:SHOWN_DIGITS]}")

    def with_badge(self, badge: str) -> Person:
        """Raises NotRegistered for a badge that nobody has."""
        found = self._with_badge(badge)
        if found is None:
            raise NotRegistered("nobody at this station has that badge")
        return Person(found.name, found.role)

    def worker(self, said: str) -> Person:
        """An operator or engineer, to work at the line. Raises NotRegistered, NotAllowed."""
        return self._with_role(self.named(said), WORKERS)

    def check_worker(self, said: str | None) -> None:
        """The same of a command that may name nobody, while nobody has to be."""
        self._of_role(said, WORKERS)

    def engineer(self, said: str | None, reason: str | None) -> Person | None:
        """Who does what only an engineer may, with a reason. None: nobody was named, and nobody has
        to be. Raises NotRegistered, NotAllowed, UsageError."""
        person = self._of_role(said, (Role.ENGINEER,))
        if self.is_checked and not is_readable(reason or ""):
            raise UsageError("this wants a reason: it goes on record with the engineer's name")
        return person

    def _of_role(self, said: str | None, wanted: tuple[Role, ...]) -> Person | None:
        if said is not None:
            return self._with_role(self.named(said), wanted)
        if self.is_checked:
            raise NotAllowed(f"this wants {_either(wanted)}, and nobody is named")
        return None

    def _with_role(self, person: Person, wanted: tuple[Role, ...]) -> Person:
        if not self.is_checked or person.role in wanted:
            return person
        if person.role is None:
            raise NotRegistered(f"nobody who works at this station is called {person.name}")
        raise NotAllowed(f"{person.name} is an {person.role.value}; this wants {_either(wanted)}")

    def _found(self, said: str) -> Operator | None:
        """Whoever works here comes before those who left."""
        here = self._with_badge(said) or self._active.get(_key(said))
        return here or self._badges.get(self._digest(said)) or self._left.get(_key(said))

    def _with_badge(self, badge: str) -> Operator | None:
        had = self._badges.get(self._digest(badge))
        return had if had is not None and had.is_active else None

    def _digest(self, badge: str) -> str:
        return badge_sha256(self.station, badge)

    # --- who comes and goes ------------------------------------------------------------------

    async def change(
        self, command: OperatorAdd | OperatorRetire, store: Store, asker: Asker, now_us: int
    ) -> None:
        """Register a person, or let one go: once it is on record, it counts.

        Raises NameTaken, LastEngineer, StoreError, and as `engineer`.
        """
        async with self._changing:
            by = self.engineer(command.by, command.reason)
            if isinstance(command, OperatorAdd):
                name, role, badge = self._joining(command)
            else:
                name, role, badge = self._leaving(command.name)
            changed = Operator(
                operator_id=new_id(),
                station=self.station,
                utc_us=now_us,
                name=name,
                role=role,
                badge_sha256=badge,
                is_active=isinstance(command, OperatorAdd),
                actor=None if by is None else by.name,
                peer_uid=asker.uid,
                peer_user=asker.user,
                reason=command.reason,
            )
            await store.add_operator(changed)
            self.note(changed)

    def _joining(self, command: OperatorAdd) -> tuple[str, Role, str | None]:
        name, badge = command.name, command.badge
        if _key(name) in self._active or self._with_badge(name) is not None:
            raise NameTaken(f"somebody at this station goes by {name} already")
        if badge is None:
            return name, Role(command.role), None
        if self._with_badge(badge) is not None or _key(badge) in {*self._active, _key(name)}:
            raise NameTaken("somebody at this station has that badge, or goes by it, already")
        return name, Role(command.role), self._digest(badge)

    def _leaving(self, name: str) -> tuple[str, Role, str | None]:
        found = self._active.get(_key(name))
        if found is None:
            raise NotRegistered(f"nobody who works at this station is called {name}")
        others = [one.role for one in self._active.values() if one is not found]
        if others and found.role is Role.ENGINEER and Role.ENGINEER not in others:
            raise LastEngineer(f"{found.name} is the only engineer: nobody could register another")
        return found.name, found.role, found.badge_sha256


def judgement(
    people: People, command: Quarantine | ReleaseUnit, asker: Asker, now_us: int
) -> Judgement:
    """What a person says of a unit: whoever works here may have it put aside, an engineer lets it
    out again. Raises as `People.worker` and `People.engineer`."""
    if isinstance(command, Quarantine):
        person, kind = people.worker(command.by), QUARANTINED
    else:
        person, kind = people.engineer(command.by, command.reason) or Person(command.by), RELEASED
    return Judgement(
        name=command.unit,
        kind=kind,
        station=people.station,
        utc_us=now_us,
        actor=person.name,
        reason=command.reason,
        role=None if person.role is None else person.role.value,
        peer_uid=asker.uid,
        peer_user=asker.user,
    )


def _either(roles: tuple[Role, ...]) -> str:
    return " or ".join(f"an {role.value}" for role in roles)


def _key(name: str) -> str:
    """Maria and maria are one person."""
    return name.strip().casefold()


async def people_of(store: Store, station: str) -> People:
    """As the record has them. Raises StoreError."""
    people = People(station)
    for operator in await store.operators(station):
        people.note(operator)
    return people
