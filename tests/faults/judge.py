"""What must hold of each attempt of a campaign, by the module's own flash as it was at its end, or
where the station's death cut it off."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from station.config.settings import LineSection
from station.engine.attempt import GIVE_BACK_S
from station.engine.once import Tally
from station.errors import Interrupted
from station.flash.ladder import BOOT_S, OVERHEAD_S, QUIET_S, RUNGS, Rung
from station.model import AttemptRecord, Outcome
from station.sim.mishap import What
from station.sim.module import SimModule
from tests.faults import restart
from tests.faults.odd import LOST, GreetsTwice
from tests.faults.witness import Seen, Witness
from tests.holding import Broken, hold

Chains = dict[str, list[AttemptRecord]]
"""The attempts of each slot, one after the other."""

_RUNG_S = QUIET_S + BOOT_S + OVERHEAD_S
RUNGS_S = (
    sum(RUNGS[rung] * _RUNG_S for rung in (Rung.AWAIT, Rung.REOPEN, Rung.USB_RESET))
    + RUNGS[Rung.POWER] * (3 * BOOT_S + OVERHEAD_S)
    + RUNGS[Rung.PUT_BACK] * (LineSection().put_back_s + OVERHEAD_S)
)
"""All rungs of the ladder, each to its deadline."""

FULL_FLASH_S = 45.0
"""A healthy module is done by then; a station that dies does so before."""

ATTEMPT_S = RUNGS_S + FULL_FLASH_S + GIVE_BACK_S
"""No slot is at work for longer at one attempt, whatever befalls its module. Few rungs take as long
as they may, which leaves the time for what is begun anew after each."""

SWALLOWING = (What.HANGS, What.MUTE, What.GARBAGE, What.CONTACT)
"""A module that it befalls misses a transfer."""


@dataclass(slots=True)
class Run:
    """One start of the station: its attempts by slot as they are on record, the modules as they
    were. `after_death`: the station before this one died; whoever comes next to a module amid a
    program must ask. `is_line`: the running line, to which a module is nobody's unless it stays.
    `pulled`: slots whose modules lost their power by a hand, or with their hub."""

    witness: Witness
    before: Mapping[str, Seen]
    chains: Chains
    died: bool = False
    after_death: bool = False
    is_line: bool = False
    pulled: Collection[str] = ()
    ended: list[AttemptRecord] = field(default_factory=list)
    """Those that were judged, with their outcome."""
    cut: dict[str, str] = field(default_factory=dict)
    """Those that the station's death left open: their slots."""

    @property
    def records(self) -> list[AttemptRecord]:
        return [record for chain in self.chains.values() for record in chain]

    def judge(self, name: str) -> None:
        """Every attempt of every slot. Raises Broken."""
        for slot, chain in self.chains.items():
            before = self.before[slot]
            for record in chain:
                where = f"{name} {slot}"
                if record.closed is None:
                    hold(self.died, f"{where}: an attempt is open although the station lives")
                    hold(record is chain[-1], f"{where}: an attempt was begun beside an open one")
                    self._judge_cut(where, slot, record, before)
                else:
                    before = self._judge_ended(where, slot, record, before)
            if not chain:
                self._judge_untouched(f"{name} {slot}", slot, before)

    def _judge_ended(self, where: str, slot: str, record: AttemptRecord, before: Seen) -> Seen:
        seen = self.witness.at_end(record.opened.attempt_id, slot)
        self._judge_module(where, slot, seen)
        check_end(where, self.witness.modules[slot], record, before.flash, seen.flash)
        self.ended.append(record)
        return seen

    def _judge_cut(self, where: str, slot: str, record: AttemptRecord, before: Seen) -> None:
        """Whom it was amid is known, if anything was written."""
        seen, module = self.witness.look(slot), self.witness.modules[slot]
        self._judge_module(where, slot, seen)
        known = restart.left(self.witness.bench, module).committed
        hold(known or seen.flash == before.flash, f"{where}: cut off, and the flash went from "
             f"{before.flash} to {seen.flash}, but its chip serial is not on record")  # fmt: skip
        self.cut[record.opened.attempt_id] = slot

    def _judge_untouched(self, where: str, slot: str, before: Seen) -> None:
        hold(self.died or self.is_line, f"{where}: no attempt")
        flash = self.witness.look(slot).flash
        hold(flash == before.flash, f"{where}: no attempt, and its flash is {flash}")

    def _judge_module(self, where: str, slot: str, seen: Seen) -> None:
        hold(seen.is_calibrated, f"{where}: the calibration is damaged")
        may = self.after_death or _talks_past(self.witness.modules[slot])
        breaches = [b for b in seen.breaches if slot not in self.pulled or b.what != _PULLED]
        hold(may or not breaches, f"{where}: {breaches[:2]}")

    def is_over(self, slot: str, attempts: int) -> bool:
        """The slot has its verdict: nothing was cut off, nothing follows."""
        chain = self.chains[slot]
        closed = chain[-1].closed if chain else None
        if closed is None:
            return False
        failure = closed.failure if closed.outcome is Outcome.FAIL else None
        return not self.died or len(chain) == attempts or not (failure and failure.retryable)


_PULLED = "a restart while the module backs itself up"
"""A hand's breach, and not the station's."""


def _talks_past(module: SimModule) -> bool:
    """It cannot say whether what it hears is in order: it has missed a transfer, asks twice, or has
    told of an error on the wire, after which it is asked once more."""
    swallows = module.fate.struck > 0 and module.fate.mishap.what in SWALLOWING
    return swallows or isinstance(module, GreetsTwice) or module.traits.refuses_with in LOST


def by_slot(slots: Iterable[str], records: Iterable[AttemptRecord]) -> Chains:
    chains: Chains = {slot: [] for slot in slots}
    for record in records:
        chains[record.opened.slot].append(record)
    return chains


def check_end(where: str, module: SimModule, record: AttemptRecord, was: str, flash: str) -> None:
    """The outcome of an attempt over a flash that `was` old, new or partly, and is."""
    closed = record.closed
    if closed is None:
        raise Broken(f"{where}: no outcome")
    if closed.outcome.is_good:
        verdict, told = closed.outcome.value, closed.firmware_after
        hold(flash == "new", f"{where}: {verdict}, but the flash is {flash}")
        hold(told == module.layout.newer_version, f"{where}: {verdict} with {told}")
    if closed.outcome is Outcome.BLOCKED:
        hold(flash == was, f"{where}: BLOCKED, but the flash went from {was} to {flash}")
    took_s = closed.duration_us / 1_000_000
    hold(took_s <= ATTEMPT_S, f"{where}: at work for {took_s:.0f} s")
    bug = closed.failure is not None and closed.failure.code.startswith("X")
    hold(not bug, f"{where}: {closed.failure}")


def check_interrupted(cut: Collection[str], now: Sequence[AttemptRecord]) -> list[AttemptRecord]:
    """The attempts that were cut off, once the station was started again: their one outcome."""
    found = [record for record in now if record.opened.attempt_id in cut]
    hold(len(found) == len(cut), f"{len(cut)} attempts were cut off, {len(found)} are on record")
    for record in found:
        closed, slot = record.closed, record.opened.slot
        told = closed and (closed.outcome, closed.failure and closed.failure.code)
        hold(told == (Outcome.INTERRUPTED, Interrupted.code), f"{slot}: cut off, and {told}")
    return found


def check_chain(records: Sequence[AttemptRecord]) -> None:
    """What is tried again has failed in a way that may pass; the next attempt names it."""
    last: dict[str, AttemptRecord] = {}
    for record in records:
        before = last.get(record.opened.slot)
        follows = None if before is None else before.opened.attempt_id
        hold(record.follows == follows, f"{record.opened.slot}: follows {record.follows}")
        if before is not None:
            closed = before.closed
            failure = closed.failure if closed and closed.outcome is Outcome.FAIL else None
            hold(failure and failure.retryable, f"tried again after {closed}")
        last[record.opened.slot] = record


def check_told(tally: Tally, records: Sequence[AttemptRecord]) -> None:
    """What a person was told is what is on record."""
    hold(not tally.lost, f"lost: {tally.lost}")
    told = Counter((r.opened.attempt_id, r.closed and r.closed.outcome) for r in tally.records)
    kept = Counter((r.opened.attempt_id, r.closed and r.closed.outcome) for r in records)
    hold(told == kept, f"told {told}, on record {kept}")
