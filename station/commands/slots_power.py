"""`station slots power-test`: does the power go when it is told to go?"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import trio
from rich.table import Table
from rich.text import Text

from station.commands.exits import Exit, put, say, show
from station.commands.flash import choose_slots
from station.commands.reporter import print_table
from station.config import Families, Settings, load_families
from station.engine.feed import plain
from station.engine.lock import own
from station.engine.stop import heeded
from station.errors import UsageError, UsbError
from station.model import Mode, Slot
from station.store.database import sqlite_path
from station.transport.base import Backend, Power, PowerProof, Switched

OFF_S = 3.0
MAX_OFF_S = 60.0
BOOT_S = 2.0
"""A running module that is back sooner has not booted, so it never lost its power."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the caller chose; empty `slots` means all."""

    slots: tuple[str, ...] = ()
    off_s: float = OFF_S
    as_json: bool = False


@dataclass(frozen=True, slots=True)
class Tested:
    """One slot and what its port did; `error` if the hub failed in the middle of it."""

    slot: Slot
    proof: PowerProof | None
    error: UsbError | None = None

    @property
    def word(self) -> str:
        if self.proof is not None:
            return self.proof.verdict.value
        return "" if self.error is None else self.error.headline

    @property
    def why(self) -> str:
        if self.proof is not None:
            return self.proof.why
        return "" if self.error is None else self.error.cause


def power_test(
    settings: Settings,
    asked: Asked,
    backend: Backend,
    power: Power,
    *,
    clock: trio.abc.Clock | None = None,
) -> Exit:
    """Switch the slots off and on, one after another, and show what left and what returned.

    Raises UsageError, ConfigError; EngineRunning while an engine has the slots.
    """
    if not 0 < asked.off_s <= MAX_OFF_S:
        raise UsageError(f"--off is {asked.off_s:g}; it can be more than 0 and up to {MAX_OFF_S:g}")
    slots = choose_slots(settings, asked.slots)
    families = load_families(settings.families)
    test = _Test(asked, families, backend, power)
    everything = [path for slot in settings.slots for path in slot.ports]
    with own(sqlite_path(settings.database), everything):  # a hub may take the neighbours along
        trio.run(test.run, slots, clock=clock)
    if not asked.as_json:
        _show_table(test.done)
    if len(test.done) < len(slots):
        say(plain(test.stopped()))
        return Exit.VERDICT
    return _exit(test.done)


class _Test:
    def __init__(self, asked: Asked, families: Families, backend: Backend, power: Power) -> None:
        self.done: list[Tested] = []
        self._at: Slot | None = None
        self._asked = asked
        self._families = families
        self._backend = backend
        self._power = power

    async def run(self, slots: Sequence[Slot]) -> None:
        """Ends early when told to, with the power on, however often somebody presses Ctrl-C."""
        with trio.CancelScope() as scope, heeded(lambda _: scope.cancel()):
            await self._all(slots)

    async def _all(self, slots: Sequence[Slot]) -> None:
        for slot in slots:
            await trio.lowlevel.checkpoint_if_cancelled()
            say(f"{slot.name}: off for {self._asked.off_s:g} s")
            self._at = slot
            tested = await self._one(slot)
            self._at = None
            self.done.append(tested)
            if self._asked.as_json and not put(json.dumps(_facts(tested)) + "\n"):
                return

    def stopped(self) -> str:
        """What a test that ended early left behind."""
        if self._at is not None:  # it was cancelled, which ends with the power on
            return f"stopped; the port of {self._at.name} is on again"
        if self.done and (error := self.done[-1].error) is not None:
            return f"stopped; {self.done[-1].slot.name}: {error.cause}"
        return "stopped; no port is off"

    async def _one(self, slot: Slot) -> Tested:
        if slot.barred is not None:
            return Tested(slot, PowerProof(Switched.NOT_SWITCHABLE, slot.barred.cause))
        try:
            runs = await self._runs(slot)
            proof = await self._power.cycle(slot.ports, off_s=self._asked.off_s)
        except UsbError as error:
            return Tested(slot, None, error)
        return Tested(slot, _doubted(proof) if runs else proof)

    async def _runs(self, slot: Slot) -> bool:
        devices = [one for one in await self._backend.scan() if one.path in slot.ports]
        return any(self._families.mode_of(one) is Mode.RUNTIME for one in devices)


def _doubted(proof: PowerProof) -> PowerProof:
    """There are hubs that cut the data lines and leave the power on."""
    if proof.verdict is not Switched.SWITCHES or proof.back_s is None or proof.back_s >= BOOT_S:
        return proof
    why = f"back after {proof.back_s:.1f} s: without power it would have had to boot"
    return PowerProof(Switched.PRETENDS, why, proof.left_s, proof.back_s)


def _exit(done: Iterable[Tested]) -> Exit:
    verdicts = {None if one.proof is None else one.proof.verdict for one in done}
    if verdicts & {None, Switched.NO_ACCESS}:
        return Exit.STATION
    return Exit.GOOD if verdicts <= {Switched.SWITCHES} else Exit.VERDICT


def _hub(slot: Slot) -> str:
    """The hub that the slot's first port is on, as the kernel names it."""
    if not slot.ports:
        return ""
    path = min(slot.ports)
    return f"usb{path.bus}" if path.hub is None else str(path.hub)


def _facts(tested: Tested) -> dict[str, str | float | list[str] | None]:
    proof = tested.proof or PowerProof(Switched.NO_ACCESS)
    return {
        "slot": tested.slot.name,
        "ports": [str(path) for path in sorted(tested.slot.ports)],
        "hub": _hub(tested.slot),
        "verdict": tested.word,
        "why": tested.why or None,
        "left_s": _rounded(proof.left_s),
        "back_s": _rounded(proof.back_s),
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def _show_table(done: Sequence[Tested]) -> None:
    table = Table("slot", "hub", "ports", "power")
    for name in ("left after", "back after"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("why")
    for one in done:
        proof = one.proof or PowerProof(Switched.NO_ACCESS)
        table.add_row(
            one.slot.name,
            _hub(one.slot),
            " ".join(str(path) for path in sorted(one.slot.ports)),
            Text(one.word, "green" if one.word == Switched.SWITCHES.value else "bold red"),
            _seconds(proof.left_s),
            _seconds(proof.back_s),
            Text(plain(one.why)),
        )
    print_table(table)
    show("\n".join(hub_lines(done)))


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.2f} s"


def hub_lines(done: Sequence[Tested]) -> list[str]:
    """What the slots say of their hubs, and what to do: one that fails at one port is not trusted
    at any."""
    lines = []
    for hub in dict.fromkeys(_hub(one.slot) for one in done):
        words = {one.word for one in done if _hub(one.slot) == hub}
        lines.append(f"hub {hub} {_hub_words(words)}" if hub else f"no hub {_NO_PORT}")
    return lines


_NO_PORT = "was asked where a slot has no port: see `station slots list`"


def _hub_words(words: set[str]) -> str:
    if Switched.CUTS_OTHERS.value in words:
        return "takes the power of other slots away, too: do not switch it; use another hub"
    if Switched.PRETENDS.value in words:
        return (
            "says that it cuts the power and does not: a module that hangs there must be pulled "
            "out; use another hub"
        )
    if words == {Switched.SWITCHES.value}:
        return "cuts and gives the power of each slot"
    if Switched.SWITCHES.value in words:
        return "cuts the power, but not every slot showed it: look at the others' reasons"
    if words == {Switched.EMPTY.value}:
        return "was not tried: plug a module into one of its slots and test again"
    return "could not be tried: mend the reasons above and test again"
