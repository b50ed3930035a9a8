"""A round from its plugged tray to its last good module, looked at from outside at each death."""

import json
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from station.live import BUSY, SlotState
from tests.crash import judge
from tests.crash.bench import RECIPE, SLOTS, Engine, Line, Tray, tray, until
from tests.crash.judge import Look
from tests.crash.record import Attempt, Record, read_record
from tests.crash.rounds import Act, By, Kill, Round, Totals, step_of
from tests.holding import Broken, hold
from tests.kernel.judge import EC25, flash_after

CLOSING_S = 0.03
"""From the first byte of an attempt's kept evidence to its committed verdict, and a little."""

LOOK_S = 0.02
"""So often an engine that serves is asked what it shows."""

_QUIET = {state.value for state in (SlotState.DONE, SlotState.STANDING, SlotState.HELD)}
_BUSY = {state.value for state in BUSY}


@dataclass(frozen=True, slots=True)
class Pace:
    """How long an engine takes here to its first step, and from there to the end of a tray."""

    start_s: float
    work_s: float


def pace_of(folder: Path, stock: Path) -> Pace:
    """Measured by a tray that nobody disturbs."""
    with tray(folder, 0, {}) as modules:
        line = Line.copied(stock, folder / "line", modules)
        began_s = time.monotonic()
        engine = line.flash()
        until(lambda: ": identify" in engine.said or engine.has_ended(), "the first step")
        started_s = time.monotonic()
        if engine.ended() != 0:
            raise Broken(f"undisturbed, and it ended badly: {engine.said}")
        return Pace(started_s - began_s, time.monotonic() - started_s)


def play(folder: Path, stock: Path, round_: Round, pace: Pace) -> Totals:
    """Raises Broken."""
    with tray(folder, round_.seed, round_.faults) as modules:
        played = Play(Line.copied(stock, folder / "line", modules), modules, pace)
        try:
            for act in round_.acts:
                played.act(act)
            return played.ended()
        finally:
            played.line.end()


class Play:
    """One round under way. `last`: what was seen when no engine was alive."""

    def __init__(self, line: Line, modules: Tray, pace: Pace) -> None:
        self.totals = Totals(rounds=1)
        self.line = line
        self.package = flash_after(line.folder / "packages" / EC25.newer_version)
        self.last = Look(Record({}, ()), modules.modules(), frozenset())
        self._tray = modules
        self._pace = pace
        self._cut: dict[str, Attempt] = {}
        self._spooled: set[str] = set()
        self._told: dict[str, str] = {}

    def act(self, act: Act) -> None:
        for slot, fault in act.fresh.items():
            self._tray.swap(slot, fault)
        self._await_devices()
        self.last = self._seen()
        killed: Look | None = None
        for number, kill in enumerate(act.kills):
            if self._killed(act.by, kill, arrives=number == 0):
                killed = self._look()
                self._note_cut(killed)
        self._finish(act.by, killed)
        self._order()

    def ended(self) -> Totals:
        self.totals.outcomes.update(str(a.outcome) for a in self.last.record.attempts)
        return self.totals

    def _await_devices(self) -> None:
        until(lambda: all(p["device"] for p in self._tray.ask("status")), "the modules are there")

    # --- engines that die ---------------------------------------------------------------------

    def _killed(self, by: By, kill: Kill, *, arrives: bool) -> bool:
        """Begin an engine and kill it; False if it ended before."""
        began_s, kept = time.monotonic(), self._kept()
        engine = self._begun(by, arrives=arrives, ready=kill.when != "start")
        match kill.when:
            case "start":
                gone_s = time.monotonic() - began_s
                engine.has_ended(max(0.0, kill.share * self._pace.start_s - gone_s))
            case "work":
                until(lambda: self._has_begun(engine, by), "the first step")
                self._watch(engine, by, kill.share * self._pace.work_s)
            case "close":
                files = kept + 1 + int(kill.share * len(SLOTS))
                until(lambda: self._kept() >= files or self._is_over(engine, by), "a verdict")
                engine.has_ended(random.Random(kill.share).random() * CLOSING_S)
        died = not engine.has_ended()
        engine.kill()
        self._hear(engine)
        self.totals.kills[kill.when] += died
        return died

    def _begun(self, by: By, *, arrives: bool, ready: bool = True) -> Engine:
        """An engine at work; `arrives`: a line flashes what is plugged in after it was armed."""
        if by == "flash":
            return self.line.flash()
        for slot in SLOTS if arrives else ():
            self._tray.ask("unplug", slot=slot)
        engine = self.line.serve()
        if ready:
            until(lambda: "serving" in engine.said or engine.has_ended(), "the engine serves")
            hold(not engine.has_ended(), f"the engine did not come up: {engine.said}")
            self.line.arm()
        for slot in SLOTS if arrives else ():
            self._tray.ask("plug", slot=slot)
        return engine

    def _watch(self, engine: Engine, by: By, duration_s: float) -> None:
        """Hear what is shown for so long, or until the engine has ended."""
        until_s = time.monotonic() + duration_s
        while (left_s := until_s - time.monotonic()) > 0 and not engine.has_ended(
            min(left_s, LOOK_S)
        ):
            if by == "serve":
                self._views()

    def _has_begun(self, engine: Engine, by: By) -> bool:
        if by == "flash":
            return ": identify" in engine.said or engine.has_ended()
        views = self._views()
        return _is_quiet(views) or any(view["state"] in _BUSY for view in views.values())

    def _is_over(self, engine: Engine, by: By) -> bool:
        return engine.has_ended() if by == "flash" else _is_quiet(self._views())

    # --- what they told -----------------------------------------------------------------------

    def _views(self) -> dict[str, dict[str, object]]:
        """What a screen shows; a verdict on it counts as told."""
        views = self.line.slots()
        for view in views.values():
            if view["outcome"] and view["attempt_id"]:
                self._told[str(view["attempt_id"])] = str(view["outcome"])
        return views

    def _hear(self, engine: Engine) -> None:
        """The verdicts that it printed; half a line is none."""
        for line in engine.told.splitlines(keepends=True):
            if line.endswith("\n"):
                attempt = json.loads(line)
                self._told[attempt["attempt_id"]] = attempt["outcome"]

    # --- engines that live --------------------------------------------------------------------

    def _finish(self, by: By, killed: Look | None) -> None:
        """Whoever comes next ends what the dead ones began."""
        engine = self._begun(by, arrives=killed is None)
        until(lambda: self._has_begun(engine, by), "the first step")
        if by == "flash":
            self._end(engine)
        else:
            until(lambda: _is_quiet(self._views()), "every slot has come to rest")
            engine.stop()
        look = self._look()
        judge.check_ended(look.record, self._cut.values())
        judge.check_spools(look.record, self._spooled)
        if killed is not None:
            judge.check_resumed(look, killed, by_itself=by == "serve")
            self.totals.resumed += sum(killed.certain(slot) is not None for slot in SLOTS)

    def _order(self) -> None:
        """A person names slot and recipe of what is not good yet, and reseats what has no name;
        then everything is good."""
        if bad := [slot for slot in SLOTS if not self._is_good(slot)]:
            for slot in bad:
                if self.last.modules[slot].is_nameless:
                    self._tray.ask("power", slot=slot, to="cycle")
            self._await_devices()
            slots = [part for slot in bad for part in ("--slot", slot)]
            self._end(self.line.flash("--recipe", RECIPE, *slots))
            judge.check_ended(self._look().record, self._cut.values())
        judge.check_good(self.last, self.package)

    def _is_good(self, slot: str) -> bool:
        attempt = self.last.newest(slot)
        return attempt is not None and attempt.outcome in judge.GOOD

    def _end(self, engine: Engine) -> None:
        code = engine.ended()
        self._hear(engine)
        if code not in (0, 1):
            raise Broken(f"the engine ended with {code}: {engine.said}")

    # --- looking ------------------------------------------------------------------------------

    def _look(self) -> Look:
        """With no engine alive: everything that must hold at any moment does."""
        look = self._seen()
        judge.check_record(look.record, self.last.record, self._told)
        judge.check_evidence(look.record, self.line.settings.evidence)
        judge.check_modules(look, self.last, self.package)
        self.last = look
        return look

    def _seen(self) -> Look:
        spools = (self.line.settings.evidence / "open").glob("*.jsonl")
        heard = frozenset(spool.stem for spool in spools if b"\n" in spool.read_bytes())
        record = read_record(self.line.folder / "station.sqlite")
        return Look(record, self._tray.modules(), heard)

    def _note_cut(self, look: Look) -> None:
        left = {attempt.id: attempt for attempt in look.record.attempts if not attempt.closed}
        self.totals.cut.update(step_of(a) for name, a in left.items() if name not in self._cut)
        self._cut |= left
        self._spooled |= look.spools & left.keys()

    def _kept(self) -> int:
        return sum(1 for _ in self.line.settings.evidence.glob("*/*.gz"))


def _is_quiet(views: Mapping[str, Mapping[str, object]]) -> bool:
    """No slot does anything, or there is no engine any more."""
    return all(view["state"] in _QUIET for view in views.values())
