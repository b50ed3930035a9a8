"""Seeded rounds of trays: mishaps, odd modules and a station that dies, at random; and what must
hold after each, whatever happened.

Each attempt has one outcome and its rows; PASS and NO_CHANGE only with the right bytes in the flash
and the right version; no slot is stuck; a module without a mishap comes to a good end; one that was
switched and not written is given back; and what came of a mishap is what the table promises, as far
as it says anything (`tests.faults.promise`), which is counted.
"""

import random
from collections import Counter
from dataclasses import dataclass, field

import trio

from station.engine.once import Tally
from station.engine.world import Order
from station.model import AttemptRecord, Outcome
from station.sim.faults import FAULTS, Traits
from station.sim.mishap import NONE, Cure, Mishap, What
from station.sim.module import SimModule
from tests.faults import given_back, promise, restart
from tests.faults.bench import (
    ANYBODY,
    NAMED,
    STEPS_STRUCK,
    Bench,
    Rows,
    in_mock_time,
    is_calibrated,
)
from tests.faults.cut import Cut, Dead, MortalBackend
from tests.faults.table import row_of
from tests.holding import Broken, hold

ATTEMPTS = 2
"""A campaign's bench gives so many to a module whose failure may pass."""

ROUND_S = 3600.0
"""No slot is at work for longer, whatever befalls its module."""

FULL_FLASH_S = 45.0
"""A healthy module is done by then; a station that dies does so before."""

ODD = tuple(
    name
    for name, fault in FAULTS.items()
    if not (fault.traits.bad_blocks or fault.traits.other_geometry or fault.traits.efs_moved)
)
"""Faults of the module itself; in its place are those whose flash differs from the others'."""


Chains = dict[str, list[AttemptRecord]]
"""The attempts of each slot, one after the other."""

SWALLOWING = (What.HANGS, What.MUTE, What.GARBAGE, What.CONTACT)
"""A module that missed a transfer cannot say whether the next one is in order."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is the matter with the module of one slot."""

    mishap: Mishap = NONE
    fault: str | None = None

    @property
    def traits(self) -> Traits:
        return Traits() if self.fault is None else FAULTS[self.fault].traits


@dataclass(frozen=True, slots=True)
class Round:
    """One tray. `dies_s`: so long after the start the station does, None for never."""

    seed: int
    cases: dict[str, Case]
    dies_s: float | None


@dataclass(slots=True)
class Totals:
    attempts: int = 0
    rounds: int = 0
    deaths: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    compared: Counter[str] = field(default_factory=Counter)
    """How many attempts were held against the table, by the way."""

    def add(self, other: "Totals") -> None:
        self.attempts += other.attempts
        self.rounds += other.rounds
        self.deaths += other.deaths
        self.outcomes += other.outcomes
        self.codes += other.codes
        self.compared += other.compared


def draw(seed: int, slots: list[str]) -> Round:
    """The round of this seed."""
    chance = random.Random(seed)
    cases = {slot: _case(chance) for slot in slots}
    dies_s = chance.uniform(0.0, FULL_FLASH_S) if chance.random() < 0.25 else None
    return Round(seed, cases, dies_s)


def _case(chance: random.Random) -> Case:
    kind = chance.random()
    if kind < 0.15:
        return Case()
    if kind < 0.3:
        return Case(fault=chance.choice(ODD))
    return Case(
        Mishap(
            chance.choice(list(What)),
            chance.choice(STEPS_STRUCK),
            chance.choice(list(Cure)),
            after=chance.choice((0, 0, 1, 2, 5, 20)),
            times=chance.choice((1, 1, 1, 2, 3, 1_000_000)),
        )
    )


def play(bench: Bench, round_: Round, totals: Totals) -> None:
    """One tray from its arrival to its last verdict. Raises Broken."""

    async def work() -> None:
        with trio.fail_after(4 * ROUND_S):
            await _Tray(bench, round_, totals).work()

    try:
        in_mock_time(work, round_.seed)
    except Broken:
        raise
    except BaseException as error:
        raise Broken(f"it came out: {error!r}") from error
    totals.rounds += 1


class _Tray:
    def __init__(self, bench: Bench, round_: Round, totals: Totals) -> None:
        self._bench = bench
        self._round = round_
        self._totals = totals
        self._modules = {
            slot: bench.module(case.mishap, case.traits) for slot, case in round_.cases.items()
        }
        self._ports = bench.plug(self._modules)

    async def work(self) -> None:
        """Once, with the station dying in it or not; then what is left, by a person's order."""
        died = False
        if self._round.dies_s is not None:
            died = await self._flash_and_die(self._round.dies_s)
        known = self._known() if died else {}
        chains = await self._flash("first", *self._modules)
        for slot, chain in chains.items():
            given_back.check(slot, self._modules[slot], chain)
            if not died and self._is_well(slot):
                self._hold_good(slot, chain)
            if self._round.dies_s is None:
                self._compare(slot, chain)
        held = [slot for slot in known if self._is_held(slot, known[slot], chains[slot])]
        bad = [slot for slot, module in self._modules.items() if self._is_unfinished(module)]
        if bad or held:
            named = await self._flash("by order", *bad, *held, order=NAMED)
            for slot in filter(self._is_well, held):
                self._hold_good(f"by order {slot}", named[slot])

    async def _flash_and_die(self, dies_s: float) -> bool:
        backend = MortalBackend(tuple(self._ports.values()))
        backend.cut = cut = Cut(trio.current_time() + dies_s)
        before = self._bench.rows()
        died = False
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(cut.strike)
                await self._bench.flash(backend, *self._modules, wrap=cut.store)
                nursery.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            _, others = group.split(Dead)
            if others is not None:
                raise
            died = True
        rows = self._bench.rows()
        self._totals.attempts += rows.opened - before.opened
        self._totals.deaths += died
        hold(died or rows.left_open == 0, "an attempt is open although the station lives")
        return died

    async def _flash(self, name: str, *slots: str, order: Order = ANYBODY) -> Chains:
        before = self._bench.rows()
        states = {slot: self._bench.flash_of(self._modules[slot]) for slot in slots}
        began_s = trio.current_time()
        tally = await self._bench.flash(
            MortalBackend(tuple(self._ports.values())), *slots, order=order
        )
        self._check_rows(tally, slots, before)
        hold(trio.current_time() - began_s < ROUND_S, f"{name}: a slot was at work for an hour")
        chains: Chains = {slot: [] for slot in slots}
        for record in tally.records:
            slot = record.opened.slot
            self._check(f"{name} {slot}", self._modules[slot], record, states[slot])
            chains[slot].append(record)
        return chains

    def _is_unfinished(self, module: SimModule) -> bool:
        return self._bench.flash_of(module) == "partly"

    def _compare(self, slot: str, chain: list[AttemptRecord]) -> None:
        """With the table, which knows mishaps and no faults."""
        case, module = self._round.cases[slot], self._modules[slot]
        if case.mishap is NONE:
            return
        rows = [row_of(case.mishap, module, record, self._bench) for record in chain]
        by = promise.check(slot, case.mishap, module.fate.struck, rows)
        self._totals.compared[by.value] += len(rows) if by is promise.By.LINE else 1

    def _is_well(self, slot: str) -> bool:
        """Nothing is the matter with it, or nothing has come of that."""
        return self._round.cases[slot].fault is None and self._modules[slot].fate.struck == 0

    def _known(self) -> dict[str, restart.Left]:
        """How the dead station has left them."""
        return {slot: restart.left(self._bench, m) for slot, m in self._modules.items()}

    def _is_held(self, slot: str, left: restart.Left, chain: list[AttemptRecord]) -> bool:
        """Whether it is well and waits for a person all the same."""
        module = self._modules[slot]
        flash = self._bench.flash_of(module)
        return self._is_well(slot) and restart.check(slot, module, left, chain[-1], flash)

    def _hold_good(self, where: str, chain: list[AttemptRecord]) -> None:
        for record in chain:
            good = record.closed is not None and record.closed.outcome.is_good
            hold(good, f"{where} is well and got {record.closed}")

    def _check_rows(self, tally: Tally, slots: tuple[str, ...], before: Rows) -> None:
        after = self._bench.rows()
        got = Counter(record.opened.slot for record in tally.records)
        hold(set(got) == set(slots) and not tally.lost, f"verdicts for {got}, lost {tally.lost}")
        most = self._bench.attempts
        hold(max(got.values()) <= most, f"more than {most} attempts: {got}")
        _check_chain(tally.records)
        hold(after.left_open == 0, f"{after.left_open} attempts are left open")
        opened, closed = after.opened - before.opened, after.closed - before.closed
        hold(opened == len(tally.records), f"{opened} attempts, {len(tally.records)} told")
        wanted = opened + before.left_open
        hold(closed == wanted, f"{closed} outcomes where {wanted} were due")
        self._totals.attempts += opened

    def _check(self, where: str, module: SimModule, record: AttemptRecord, before: str) -> None:
        closed = record.closed
        if closed is None:
            raise Broken(f"{where}: no outcome")
        self._totals.outcomes[closed.outcome.value] += 1
        if closed.failure is not None:
            self._totals.codes[closed.failure.code] += 1
        state = self._bench.flash_of(module)
        hold(is_calibrated(module), f"{where}: the calibration is damaged")
        if closed.outcome.is_good:
            verdict, told = closed.outcome.value, closed.firmware_after
            hold(state == "new", f"{where}: {verdict}, but the flash is {state}")
            hold(told == module.layout.newer_version, f"{where}: {verdict} with {told}")
        if closed.outcome is Outcome.BLOCKED:
            hold(state == before, f"{where}: BLOCKED, but the flash went from {before} to {state}")
        hold(closed.failure is None or not closed.failure.code.startswith("X"),
              f"{where}: {closed.failure}")  # fmt: skip
        swallows = module.fate.struck and module.fate.mishap.what in SWALLOWING
        orphaned = self._round.dies_s is not None  # amid a program: whoever comes next must ask
        hold(swallows or orphaned or module.breaches == [], f"{where}: {module.breaches[:2]}")


def _check_chain(records: list[AttemptRecord]) -> None:
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
