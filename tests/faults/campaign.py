"""Seeded rounds of trays: mishaps, odd modules and a station that dies, at random; and what must
hold after each, whatever happened.

Each attempt has one outcome and its rows; PASS and NO_CHANGE only with the right bytes in the flash
as it was then, and the right version; what the station's death cut off is INTERRUPTED at the next
start; no slot is stuck; a module without a mishap comes to a good end; one that was switched and
not written is given back; and what came of a mishap is what the table promises, as far as it says
anything (`tests.faults.promise`). How many attempts were judged is counted, and how many were held
against the table.
"""

import random
from collections import Counter
from dataclasses import dataclass, field

import trio

from station.engine.once import Tally
from station.engine.world import Order
from station.model import AttemptRecord
from station.sim.mishap import NONE, Cure, Mishap, What
from station.sim.module import SimModule
from station.store.writer import Store
from tests.faults import given_back, promise, restart
from tests.faults.bench import (
    ANYBODY,
    NAMED,
    STEPS_STRUCK,
    Bench,
    Rows,
    in_mock_time,
)
from tests.faults.cut import Cut, Dead, MortalBackend
from tests.faults.judge import (
    ATTEMPT_S,
    FULL_FLASH_S,
    Run,
    by_slot,
    check_chain,
    check_interrupted,
    check_told,
)
from tests.faults.live import Hand, LiveTray, draw_hands
from tests.faults.odd import HEALTHY, ODD, Odd
from tests.faults.table import plain_row, row_of
from tests.faults.witness import Witness
from tests.holding import Broken, hold

ATTEMPTS = 2
"""A campaign's bench gives so many to a module whose failure may pass."""

ROUND_S = ATTEMPTS * ATTEMPT_S
"""Of a tray that is flashed once."""

REST_S = 2 * ROUND_S
"""Of the running line, to which a module may be put back anew."""

LIVE = 1 / 8
"""The share of the rounds that the running line plays."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is the matter with the module of one slot."""

    mishap: Mishap = NONE
    fault: str | None = None

    @property
    def odd(self) -> Odd:
        return HEALTHY if self.fault is None else ODD[self.fault]


@dataclass(frozen=True, slots=True)
class Round:
    """One tray. `dies_s`: so long after the start the station does, None for never. `hands`: what
    they do to a tray on the running line, None for one that is flashed once."""

    seed: int
    cases: dict[str, Case]
    dies_s: float | None
    hands: tuple[Hand, ...] | None = None


@dataclass(slots=True)
class Totals:
    attempts: int = 0
    judged: int = 0
    rounds: int = 0
    deaths: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    compared: Counter[str] = field(default_factory=Counter)
    """How many attempts were held against the table, by the way."""

    def note(self, judged: list[AttemptRecord]) -> None:
        self.judged += len(judged)
        for record in judged:
            closed = record.closed
            assert closed is not None
            self.outcomes[closed.outcome.value] += 1
            if closed.failure is not None:
                self.codes[closed.failure.code] += 1

    def add(self, other: "Totals") -> None:
        self.attempts += other.attempts
        self.judged += other.judged
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
    if chance.random() < LIVE:
        return Round(seed, cases, None, draw_hands(chance, slots, FULL_FLASH_S))
    return Round(seed, cases, dies_s)


def _case(chance: random.Random) -> Case:
    kind = chance.random()
    if kind < 0.15:
        return Case()
    if kind < 0.3:
        return Case(fault=chance.choice(list(ODD)))
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
    """One tray from its arrival to its last verdict, and it is the same whatever this bench has
    played before. Raises Broken."""

    async def work() -> None:
        with trio.fail_after(4 * ROUND_S):
            if round_.hands is None:
                await _Tray(bench, round_, totals).work()
            else:
                await _play_live(bench, round_, round_.hands, totals)

    bench.begin_anew(round_.seed)
    try:
        in_mock_time(work, round_.seed)
    except BaseException as error:
        if isinstance(first := _first_of(error), Broken):
            raise first from None
        raise Broken(f"it came out: {error!r}") from error
    hold(totals.judged == totals.attempts, f"{totals.judged} of {totals.attempts} were judged")
    totals.rounds += 1


def _first_of(error: BaseException) -> BaseException:
    """Nurseries wrap what comes out of them."""
    return _first_of(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def _modules(bench: Bench, round_: Round) -> dict[str, SimModule]:
    return {slot: bench.module(case.mishap, case.odd) for slot, case in round_.cases.items()}


async def _play_live(bench: Bench, round_: Round, hands: tuple[Hand, ...], totals: Totals) -> None:
    modules = _modules(bench, round_)
    tray = LiveTray(bench, modules, hands, REST_S)
    drawn, anew = await tray.work()
    for slot, chain in drawn.chains.items():
        if slot not in tray.pulled and round_.cases[slot].fault is None:
            hold(modules[slot].fate.struck or all(map(_is_good, chain)), f"{slot} is well")
    for run in (drawn, anew):
        totals.attempts += len(run.records)
        totals.note(run.ended)


def _is_good(record: AttemptRecord) -> bool:
    return record.closed is not None and record.closed.outcome.is_good


class _Tray:
    def __init__(self, bench: Bench, round_: Round, totals: Totals) -> None:
        self._bench = bench
        self._round = round_
        self._totals = totals
        self._modules = _modules(bench, round_)
        self._ports = bench.plug(self._modules)
        self._cut: dict[str, str] = {}

    async def work(self) -> None:
        """Once, with the station dying in it or not; then what is left, by a person's order."""
        dies_s = self._round.dies_s
        first = await self._flash("first", *self._modules, dies_s=dies_s)
        self._look_at_fresh(first)
        known, chains = {}, first.chains
        if dies_s is not None:
            known = self._known() if first.died else {}
            chains = (await self._flash("again", *self._modules, after_death=first.died)).chains
            for slot, chain in chains.items():
                given_back.check(slot, self._modules[slot], chain)
                if not first.died and self._is_well(slot):
                    self._hold_good(slot, chain)
        held = [slot for slot in known if self._is_held(slot, known[slot], chains[slot])]
        bad = [slot for slot, module in self._modules.items() if self._is_unfinished(module)]
        if bad or held:
            after_death = first.died
            named = await self._flash("by order", *bad, *held, order=NAMED, after_death=after_death)
            for slot in filter(self._is_well, held):
                self._hold_good(f"by order {slot}", named.chains[slot])

    async def _flash(
        self,
        name: str,
        *slots: str,
        order: Order = ANYBODY,
        dies_s: float | None = None,
        after_death: bool = False,
    ) -> Run:
        """One start of the station, and what became of each attempt. Raises Broken."""
        bench = self._bench
        rows, newest = bench.rows(), bench.newest()
        witness = Witness(bench, self._modules)
        before = {slot: witness.look(slot) for slot in slots}
        tally = await self._start(witness, slots, order, dies_s)
        records = bench.recorded_since(newest)
        chains = by_slot(slots, records)
        run = Run(witness, before, chains, died=tally is None, after_death=after_death)
        run.judge(name)
        if tally is not None:
            check_told(tally, records)
        self._count(run, rows)
        return run

    async def _start(
        self, witness: Witness, slots: tuple[str, ...], order: Order, dies_s: float | None
    ) -> Tally | None:
        """None: the station died."""
        backend = MortalBackend(tuple(self._ports.values()))
        began_s = trio.current_time()
        if dies_s is not None:
            backend.cut = Cut(began_s + dies_s)

        def watched(store: Store) -> Store:
            return witness.store(backend.cut.store(store))

        tally: Tally | None = None
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(backend.cut.strike)
                tally = await self._bench.flash(backend, *slots, order=order, wrap=watched)
                nursery.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            _, others = group.split(Dead)
            if others is not None:
                raise
            self._totals.deaths += 1
            return None
        took_s = trio.current_time() - began_s
        hold(took_s < ROUND_S, f"a slot was at work for {took_s:.0f} s")
        return tally

    def _count(self, run: Run, before: Rows) -> None:
        """Everything that was begun or left open is judged, and has its row."""
        after, most = self._bench.rows(), self._bench.attempts
        hold(after.opened - before.opened == len(run.records), "an attempt is not on record")
        hold(after.left_open == len(run.cut), f"{after.left_open} attempts are left open")
        for slot, chain in run.chains.items():
            hold(len(chain) <= most, f"{slot}: more than {most} attempts")
            check_chain(chain)
        self._totals.attempts += len(run.records)
        cut, self._cut = self._cut, run.cut
        self._totals.note(run.ended + check_interrupted(cut, self._bench.records(cut)))

    def _look_at_fresh(self, run: Run) -> None:
        """The station has met these modules as they were made, and has its verdict on some, if not
        on all: those are as the table has them."""
        for slot, chain in run.chains.items():
            if not run.is_over(slot, self._bench.attempts):
                continue
            given_back.check(slot, self._modules[slot], chain)
            if self._is_well(slot):
                self._hold_good(slot, chain)
            self._compare(slot, run)

    def _compare(self, slot: str, run: Run) -> None:
        """With the table."""
        case, chain = self._round.cases[slot], run.chains[slot]
        ends = [run.witness.at_end(record.opened.attempt_id, slot) for record in chain]
        told = [(record, end.flash) for record, end in zip(chain, ends, strict=True)]
        if case.fault is not None:
            rows = [plain_row(case.fault, *one) for one in told]
            by = promise.check_fault(slot, case.fault, rows)
        else:
            rows = [row_of(case.mishap, *one) for one in told]
            by = promise.check(slot, case.mishap, ends[-1].struck, rows)
        whole = by in (promise.By.LINE, promise.By.FAULT)
        self._totals.compared[by.value] += len(rows) if whole else 1

    def _is_unfinished(self, module: SimModule) -> bool:
        return self._bench.flash_of(module) == "partly"

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
            hold(_is_good(record), f"{where} is well and got {record.closed}")
