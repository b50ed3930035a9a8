"""Boots, one after another: what the last cut left is finished, a fresh tray is begun, and cut."""

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from station.live import SlotState
from tests.crash.record import Record
from tests.holding import Broken
from tests.powercut.bench import HARMLESS, Bench
from tests.powercut.boot import Boot
from tests.powercut.disk import Disk
from tests.powercut.judge import check_finished, check_modules, found_in

FINISH_S = 420.0
"""A tray is done by then, whatever was left of it."""

OUT = frozenset(
    state.value for state in (SlotState.EMPTY, SlotState.NO_USB, SlotState.AWAY, SlotState.PULLED)
)
EMPTY_S = 60.0
"""A module that was pulled out is gone for the station by then."""

REST_S = 10.0
"""A slot with which nothing was done for so long waits for a person."""

HANDS = 3
"""So often a person takes a module out and puts it back."""


@dataclass(frozen=True, slots=True)
class Cut:
    """`amid`: the fresh tray, or the work on what the cut before has left. `share`: how far into
    that work. `hubs_too`: the modules lose their power with the machine. `tray`: of each slot the
    fresh module's oddity, and how long after the one before it is plugged in."""

    number: int
    amid: str
    share: float
    hubs_too: bool
    tray: dict[str, tuple[str, float]]
    chance: random.Random

    @classmethod
    def draw(cls, seed: int, number: int, slots: Sequence[str], *, first: bool) -> "Cut":
        chance = random.Random(f"{seed}/{number}")
        return cls(
            number,
            "tray" if chance.random() < 0.75 or first else "recovery",
            chance.random(),
            chance.random() < 0.5,
            {slot: (chance.choice(HARMLESS), chance.uniform(0.0, 1.5)) for slot in slots},
            chance,
        )


@dataclass
class Totals:
    cuts: int = 0
    recoveries: int = 0
    resumed: int = 0
    told: int = 0
    """Verdicts that were told before a cut."""
    hands: int = 0
    hubs: int = 0
    unflushed: int = 0
    lost: int = 0
    """Pieces of the disk."""
    began_s: float = field(default_factory=time.monotonic)
    steps: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)


class Campaign:
    """Raises Broken in the words of what does not hold."""

    def __init__(self, folder: Path, bench: Bench, say: Callable[[str], None]) -> None:
        self.totals = Totals()
        self._folder = folder
        self._bench = bench
        self._say = say
        self._disk = Disk(folder)
        self._disk.make(folder / "content")
        self._record = Record({}, ())
        self._last: Boot | None = None
        self._modules = bench.look()
        self._tray_s = 0.0

    def boot(self, number: int, cut: Cut | None) -> None:
        """From the last cut to this one; without one to an end in order."""
        boot = Boot(
            self._folder / f"boot-{number}",
            self._disk.begin(),
            self._bench.tcp_port,
            len(self._bench.slots),
        )
        with boot:
            self._judge(boot.await_file("found.whole").with_name("found"))
            if cut is not None and cut.amid == "recovery":
                boot.await_file("serve.out")
                self._work_for(boot, cut.share * self._tray_s)
            else:
                boot.await_file("armed")
                self._finish(boot) if self._last else self._see_one_tray(boot)
                if cut is not None:
                    self._begin_tray(boot, cut)
            if cut is None:
                boot.end()
            else:
                boot.cut()
        self._modules, self._last = self._bench.look(), boot
        if cut is None:
            check_finished(self._judge(boot.share / "left"), self._modules)
        else:
            self._account(cut, boot)

    def _judge(self, folder: Path) -> Record:
        """What holds of the record as it is found, against all that was known before."""
        told = None if self._last is None else self._last.told
        self._record = record = found_in(folder, self._record, told)
        check_modules(record, self._modules)
        outcomes = (attempt.outcome for attempt in record.attempts)
        self.totals.outcomes = Counter(outcome for outcome in outcomes if outcome is not None)
        self.totals.resumed = sum(a.opened["trigger"] == "resume" for a in record.attempts)
        return record

    def _see_one_tray(self, boot: Boot) -> None:
        """How long it takes here; the moments of the cuts are shares of that."""
        began_s = time.monotonic()
        self._pull(boot, *self._bench.slots)
        for slot in self._bench.slots:
            self._bench.plug(slot)
        self._finish(boot)
        self._tray_s = time.monotonic() - began_s

    def _finish(self, boot: Boot) -> None:
        """Every module passes. One that was left half written is taken up by the station itself;
        any other that it leaves alone is taken out and put back."""
        began_s, hands = time.monotonic(), Counter[str]()
        deadline_s = began_s + FINISH_S
        while pending := [slot for slot in self._bench.slots if not boot.told.is_good(slot)]:
            boot.look()
            if time.monotonic() > deadline_s:
                raise Broken(f"not finished: {', '.join(map(boot.told.doing, pending))}")
            for slot in pending:
                if boot.told.rests_s(slot) > REST_S:
                    self._put_back(boot, slot, hands)
            time.sleep(0.1)  # a poll of what was told, under a deadline

    def _put_back(self, boot: Boot, slot: str, hands: Counter[str]) -> None:
        if self._bench.flash_is(slot) == "partly" and not boot.told.worked_at(slot):
            raise Broken(f"{slot} was left half written and is not taken up")
        if hands[slot] == HANDS:
            raise Broken(f"{slot} does not pass: {boot.told.views[slot]}")
        hands[slot] += 1
        self.totals.hands += 1
        self._pull(boot, slot)
        self._bench.plug(slot)

    def _begin_tray(self, boot: Boot, cut: Cut) -> None:
        self._pull(boot, *self._bench.slots)
        for slot, (oddity, after_s) in cut.tray.items():
            self._work_for(boot, after_s)
            self._bench.plug(slot, oddity)
        self._work_for(boot, cut.share * self._tray_s)

    def _pull(self, boot: Boot, *slots: str) -> None:
        """Out, and the station has seen it: no hand is quicker."""
        for slot in slots:
            self._bench.pull(slot)
        deadline_s = time.monotonic() + EMPTY_S
        while seen := [slot for slot in slots if boot.told.doing(slot) not in OUT]:
            boot.look()
            if time.monotonic() > deadline_s:
                raise Broken(f"{seen[0]} is not seen to be empty")
            time.sleep(0.05)  # a poll of what is told, under a deadline

    def _work_for(self, boot: Boot, seconds: float) -> None:
        """Let it work."""
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            boot.look()
            time.sleep(min(0.1, left_s))  # the moment of the cut, or of a hand, is drawn

    def _account(self, cut: Cut, boot: Boot) -> None:
        """The guest is dead: its disk forgets, and maybe the modules' hubs lose power, too."""
        lost = self._disk.cut(cut.chance)
        if cut.hubs_too:
            self._bench.lose_power()
        totals = self.totals
        totals.cuts += 1
        totals.recoveries += cut.amid == "recovery"
        totals.hubs += cut.hubs_too
        totals.told += len(boot.told.verdicts)
        totals.unflushed += lost.unflushed
        totals.lost += lost.lost
        doing = {slot: boot.told.doing(slot) for slot in self._bench.slots}
        totals.steps.update(doing.values())
        where = ", ".join(f"{slot} {step}" for slot, step in doing.items())
        flash = ", ".join(module.flash for module in self._modules.values())
        self._say(f"cut {cut.number} amid {cut.amid}: {where}; flash {flash}; {lost}")
