"""Seeded rounds: which modules, which engines, when each of them dies; and what came of it."""

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from station.flash.procedures import PROCEDURES
from station.model import BACKUP_STEP, DUMP_STEP
from tests.crash.bench import COMES_IN_EDL, NAMELESS, SLOTS
from tests.crash.record import Attempt

FAULTS = ("bad-blocks", "read-zlp", "sahara-v3", "at-echo-urc-noise", "no-echo",
          NAMELESS, COMES_IN_EDL)  # fmt: skip
"""Odd modules, each of which can be flashed."""

_WORK = (s.name for s in PROCEDURES["quectel_edl"] if s.name not in (BACKUP_STEP, DUMP_STEP))
_STEPS = ("identify", "select", "preflight", *_WORK, "close")

By = Literal["flash", "serve"]


@dataclass(frozen=True, slots=True)
class Kill:
    """`start`: while the engine comes up and ends what a dead one left; `work`: from the first
    step of the first slot on; `close`: while a verdict is committed. `share`: how far into it,
    0 to 1."""

    when: Literal["start", "work", "close"]
    share: float


@dataclass(frozen=True, slots=True)
class Act:
    """Modules that are new in their slots, engines that die, and one that ends the work."""

    by: By
    kills: tuple[Kill, ...]
    fresh: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Round:
    """`faults`: of the modules that the tray begins with. The second act has used ones, too."""

    seed: int
    faults: Mapping[str, str]
    acts: tuple[Act, ...]


def draw(seed: int) -> Round:
    """The round of this seed."""
    chance = random.Random(seed)
    faults = {slot: chance.choice(FAULTS) for slot in SLOTS if chance.random() < 0.4}
    fresh = {slot: chance.choice(FAULTS) for slot in SLOTS if chance.random() < 0.7}
    return Round(seed, faults, (_act(chance, {}), _act(chance, fresh)))


def _act(chance: random.Random, fresh: Mapping[str, str]) -> Act:
    by: By = chance.choice(("flash", "serve"))
    kills = [_kill(chance, ("work", "work", "work", "close"))]
    while chance.random() < 0.5:
        kills.append(_kill(chance, ("start", "start", "work", "work", "close")))
    return Act(by, tuple(kills), fresh)


def _kill(chance: random.Random, whens: tuple[Literal["start", "work", "close"], ...]) -> Kill:
    return Kill(chance.choice(whens), chance.random())


# --- what is counted --------------------------------------------------------------------------


@dataclass(slots=True)
class Totals:
    """`cut`: attempts that were open at a kill, by the step they were in."""

    rounds: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    cut: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    resumed: int = 0

    def add(self, other: "Totals") -> None:
        self.rounds += other.rounds
        self.kills += other.kills
        self.cut += other.cut
        self.outcomes += other.outcomes
        self.resumed += other.resumed


def step_of(attempt: Attempt) -> str:
    """The one it was in: the one behind the last that ended."""
    if attempt.last_step not in _STEPS:
        return attempt.last_step
    return _STEPS[min(_STEPS.index(attempt.last_step) + 1, len(_STEPS) - 1)]
