"""One attempt on one slot: the failure boundary.

Whatever happens between the first look at the module and the verdict, the attempt ends with an
outcome in the database, and no other slot notices.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import trio

from station import __version__
from station.config import LoadedRecipe
from station.engine import again
from station.engine.blame import blamed, is_meant
from station.engine.clash import check_names, clashes_of
from station.engine.evidence import Evidence
from station.engine.journal import Journal
from station.engine.measure import measured
from station.engine.moved import await_given_up
from station.engine.ports import SlotPort
from station.engine.resume import check_package, is_layout_proven, unfinished_here
from station.engine.select import check_chosen, select
from station.engine.shelf import PREFLIGHT_S
from station.engine.world import Order, World
from station.errors import (
    Aborted,
    Bug,
    HubFailed,
    NoUsb,
    PulledOut,
    StationError,
    StationOverdue,
    StoppedByHand,
)
from station.evidence.cabinet import Cabinet
from station.flash.confirm import give_back
from station.flash.identify import identify
from station.flash.ladder import Ladder
from station.flash.procedures import steps_of
from station.flash.runner import StepRunner
from station.flash.session import Session, Step, StepResult
from station.model import (
    AttemptClosed,
    AttemptOpened,
    AttemptRecord,
    Clash,
    DeviceInfo,
    Failure,
    Identifier,
    IdKind,
    Mode,
    Notice,
    Outcome,
    PackageRef,
    Progress,
    PutBack,
    StepStarted,
    Unit,
    VerifyKind,
)
from station.protocols import dialogue
from station.selection import Decision, check_family
from station.store.ids import new_id
from station.transport.base import PowerProof

IDENTIFY_S = 30.0
"""No recipe is known yet, so the limit is the station's: a module that boots answers by then."""

SELECT_S = 10.0
GIVE_BACK_S = 60.0
"""How long a module that was switched but not written may take to be itself again."""

BY_HAND = "by hand"
"""Why the scope of an attempt is cancelled when a person stops this one, and not the station."""

_IDENTIFY = Step("identify", identify, is_patient=True)


@dataclass(slots=True)
class Attempt:
    """Runs one attempt and records it."""

    world: World
    port: SlotPort
    order: Order
    journal: Journal = field(init=False)
    evidence: Evidence = field(init=False)
    session: Session = field(init=False)
    runner: StepRunner = field(init=False)
    ladder: Ladder = field(init=False)
    recipe: LoadedRecipe | None = None
    package: PackageRef | None = None
    resumed: AttemptRecord | None = None
    """The interrupted attempt that this one repeats."""
    verify: VerifyKind = VerifyKind.NONE
    began: float = 0.0
    started_utc_us: int = 0
    port_path: str | None = None
    step: str = ""
    _worked_at: str = ""
    clashes: tuple[Clash, ...] = ()
    """Why the module's names cannot be right; recorded with the verdict."""
    record: AttemptRecord | None = None
    """Set when the verdict is committed, and only then."""

    def __post_init__(self) -> None:
        self.began = trio.current_time()
        self.started_utc_us = self.world.clock()
        self.journal = Journal(self.world.store, new_id())
        self.evidence = Evidence(
            Cabinet(self.world.settings.evidence),
            self.world.evidence_disk,
            self.journal.attempt_id,
            {"station": self.world.settings.station.name, "slot": self.port.slot.name}
            | {"started_utc_us": self.started_utc_us, "software": __version__},
        )
        self.session = Session(
            backend=self.world.backend,
            port=self.port,
            families=self.world.families,
            recorder=self.journal,
            watch=self._watch,
            tape=self.evidence,
            keep_dump=self.evidence.dump,
            spoiled_by=self._spoiled_by,
            check_names=self._check_names,
        )
        self.runner = StepRunner(self.session, self._step_started)
        self.ladder = Ladder(
            self.session,
            self.runner,
            power=None if self.world.power is None else self._cycle_power,
            put_back_s=self.world.settings.line.put_back_s,
            gone=lambda until_s: self.world.show(PutBack(self.port.slot.name, until_s)),
            hub_failed=lambda: self.port.has_hub_failed(self.began),
        )
        if self.order.label:
            label = Identifier(IdKind.LABEL, self.order.label, "operator")
            self.session.identifiers.append(label)

    @property
    def is_writing(self) -> bool:
        """The module's flash memory is neither what it was nor what it shall be, or not yet
        confirmed: better finished than stopped."""
        return self.session.touched

    @property
    def has_changed(self) -> bool:
        """The flash memory may have been changed, by this attempt or by one that it follows."""
        before = self.order.after
        return self.session.touched or (before is not None and before.changed)

    def next_order(self) -> Order | None:
        """Once it has ended: what follows on the same module; None: the verdict stands."""
        attempts = self.world.settings.line.attempts
        return again.next_order(
            self.order, self.record, self.session, attempts, changed=self.has_changed
        )

    async def run_alone(self) -> Failure | None:
        """`run`, but a verdict that could not be committed is returned, not raised: a slot must
        not end its neighbours."""
        try:
            await self.run()
        except StationError as error:
            return Failure.of(error)
        except Exception as error:  # noqa: BLE001 - the nursery must not fall with one slot
            return Failure.of(Bug(f"{type(error).__name__}: {error}"))
        return None

    async def run(self) -> None:
        """From the first look to the committed verdict.

        Raises NotRecorded only if the verdict could not be committed. Cancelled, it gives an
        untouched module back, records ABORTED and lets the cancellation go on.
        """
        self.port.meant = self._is_meant
        try:
            await self._run()
        finally:
            self.port.meant = None

    async def _run(self) -> None:
        try:
            ending: Outcome | StationError = await self._work()
        except trio.Cancelled as cancelled:
            if cancelled.reason == BY_HAND:
                await self._end(StoppedByHand("a person stopped this attempt"))
            else:
                await self._end(Aborted("a person stopped the station"))
            raise
        except StationError as error:
            ending = error
        except Exception as error:  # noqa: BLE001 - the failure boundary: no slot harms another
            ending = Bug(f"{type(error).__name__}: {error}")
        await self._end(ending)

    async def _work(self) -> Outcome:
        if self.order.after is not None:
            told = again.step(self.order.after, self.world.settings.line.attempts)
            await self.runner.run(told, limit_s=SELECT_S)
        if self.port.slot.barred is not None:
            raise self.port.slot.barred
        device = self.port.device
        self.port.witness = self.evidence.occupied
        self.evidence.occupied(device)
        if device is None:
            raise NoUsb(f"no module on the USB port of slot {self.port.slot.name}")
        self.port_path = str(device.path)
        await self.ladder.run((_IDENTIFY,), lambda _: IDENTIFY_S)
        if self.session.mode is Mode.EDL:
            await await_given_up(self.world, self.port, self.session.unit)
        decision = await self._select()
        if decision is not Decision.FLASH:
            self.session.after = self.session.unit
            if decision is Decision.VERIFY_ONLY:
                self.verify = VerifyKind.VERSION
            return Outcome.NO_CHANGE
        preflight = Step("preflight", self._preflight, late=StationOverdue)
        await self.runner.run(preflight, limit_s=PREFLIGHT_S)
        await self.journal.open(self._opened())
        await self._flash()
        return Outcome.PASS

    async def _select(self) -> Decision:
        decision = Decision.SKIP

        async def choose(session: Session) -> StepResult:
            nonlocal decision
            self.world.claims.claim(self.port.slot.name, session.unit)
            if self.order.after is not None:
                again.check_same(self.order.after, session)
            left = await self._left_in_edl() if session.mode is Mode.EDL else None
            selection = await select(
                self.world, self.order, self.port.slot.recipe, session.mode, session.unit, left
            )
            if self.order.chosen is not None:
                check_chosen(self.order.chosen, selection.unit)
            self.world.claims.claim(self.port.slot.name, selection.unit)
            check_family(selection.recipe, session.family)
            session.unit, self.recipe = selection.unit, selection.recipe
            session.identifiers += selection.remembered
            await self._check_names(session.unit)
            session.recipe = selection.recipe.recipe
            decision, self.resumed = selection.decision, selection.resumed
            is_begun = self.order.after is not None or self.resumed is not None
            if self.order.chosen is None:  # a night has no shift
                golden, units = self.world.golden, self.world.settings.golden.units
                if not is_begun:  # that is finished
                    golden.check(selection.unit, units)
                if golden.is_tried_by(selection.unit, units):
                    decision = Decision.FLASH
            if self.has_changed:  # nothing that was written before is trusted
                decision = Decision.FLASH
            detail = {"recipe": selection.recipe.recipe.name, "decision": decision.value}
            if self.resumed is not None:
                detail["resumes"] = self.resumed.opened.attempt_id
            if selection.unproven is not None:
                detail["unproven"] = selection.unproven
            return StepResult(detail=detail)

        await self.runner.run(Step("select", choose, late=StationOverdue), limit_s=SELECT_S)
        return decision

    async def _check_names(self, unit: Unit) -> None:
        await check_names(self.world.store, unit, self.journal.attempt_id)

    async def _spoiled_by(self) -> str | None:
        before = self.order.after
        if before is not None and before.changed:
            return before.record.opened.attempt_id
        return await self.world.store.unproven_attempt(self.session.unit)

    async def _left_in_edl(self) -> AttemptRecord | None:
        """The attempt that left this module in EDL half written, as far as that is certain."""
        order = self.order
        if order.after is not None and order.after.record.opened.recipe is not None:
            return order.after.record
        by_slot = order.resumes is not None
        return await unfinished_here(self.world, self.port, self.session.unit, by_slot=by_slot)

    async def _preflight(self, session: Session) -> StepResult:
        if self.recipe is None:
            raise Bug("preflight before a recipe was chosen")
        prepared = await self.world.shelf.prepare(self.recipe)
        session.plan, session.package = prepared.plan, prepared.package
        self.package = prepared.ref
        session.layout_agreed = partial(
            self.world.store.layout_agreed, package_sha256=prepared.ref.sha256
        )
        if self.resumed is not None:
            check_package(self.resumed, prepared.ref)
            session.layout_proven = is_layout_proven(self.resumed)
        return StepResult(detail={"plan": prepared.plan.sha256})

    async def _flash(self) -> None:
        recipe = self.session.recipe
        if recipe is None:
            raise Bug("a flash without a recipe")
        steps = steps_of(recipe)
        limits = {step.name: float(getattr(recipe.limits, step.name)) for step in steps}
        results = await self.ladder.run(
            steps, lambda step: limits[step.name], retries=recipe.retries
        )
        was_read = any(
            step.name == "verify" and not result.skipped
            for step, result in zip(steps, results, strict=True)
        )
        self.verify = VerifyKind.READBACK if was_read else VerifyKind.VERSION

    async def _cycle_power(self, begins: Callable[[], None]) -> PowerProof:
        if self.world.power is None:
            raise Bug("the power of a slot is to be cycled, and nothing can")
        return await self.world.spared.cycle(self.world.power, self.port, begins)

    # --- how it ends -----------------------------------------------------------------------

    async def _end(self, ending: Outcome | StationError) -> None:
        """Shielded: an attempt that is ending is not cut off. Each part has its own deadline."""
        with trio.CancelScope(shield=True):
            if isinstance(ending, Outcome):
                await self._close(ending, None)
                return
            error = await blamed(
                ending,
                self.port,
                self.world.claims,
                self.session.device,
                during=self._worked_at,
                since_s=self.began,
            )
            failure = Failure.of(error)
            if self.has_changed and failure.outcome is Outcome.BLOCKED:
                failure = replace(failure, outcome=Outcome.FAIL)
            self.clashes = clashes_of(error, self.session.unit)
            if self._must_give_back(failure):
                failure = await self._give_back(failure)
            await self._close(failure.outcome, failure)

    def _must_give_back(self, failure: Failure) -> bool:
        """Switched to EDL and not written: it must not stay there. A module that arrived in EDL
        is tried, too, once we talked to it for a flash."""
        session = self.session
        began = session.switched or (self.journal.is_open and session.mode is Mode.EDL)
        is_gone = failure.code == PulledOut.code or (
            failure.code == HubFailed.code and session.mode is Mode.ABSENT
        )
        return began and not self.has_changed and not is_gone

    async def _give_back(self, failure: Failure) -> Failure:
        """The same failure; if the module could not be brought back, its cause says so. What rungs
        are left are taken, unless a person has ended the attempt; who aborts it later waits for
        them, some minutes at most."""
        step = Step("give_back", give_back)
        try:
            if failure.outcome is Outcome.ABORTED:
                await self.runner.run(step, limit_s=GIVE_BACK_S)
            else:
                await self.ladder.run((step,), lambda _: GIVE_BACK_S)
        except Exception as trouble:  # noqa: BLE001 - whatever it is, the verdict comes next
            return replace(
                failure,
                cause=f"{failure.cause}; it could not be brought back to normal mode: {trouble}",
            )
        return failure

    def _opened(self) -> AttemptOpened:
        session, under = self.session, self.world.under
        recipe, plan = self.recipe, session.plan
        return AttemptOpened(
            attempt_id=self.journal.attempt_id,
            station=self.world.settings.station.name,
            site=self.world.settings.station.site,
            slot=self.port.slot.name,
            port_path=self.port_path,
            operator=self.world.operator,
            software_version=__version__,
            trigger=self.order.trigger,
            started_utc_us=self.started_utc_us,
            unit=session.unit,
            identifiers=tuple(session.identifiers),
            recipe=None if recipe is None else recipe.ref,
            package=self.package,
            plan_sha256=None if plan is None else plan.sha256,
            plan_json=None if plan is None else plan.to_json(),
            boot_id=self.world.boot_id,
            shift_id=under.shift_id,
            campaign_id=None if self.order.chosen is None else self.order.chosen.campaign_id,
            lot=under.lot,
            purpose=self._purpose(),
        )

    def _purpose(self) -> str | None:
        """Of a golden unit that cannot be asked any more, what it was before."""
        before = self.order.after
        known = None if before is None else before.record.opened.purpose
        return self.world.purpose(self.session.unit) or known

    async def _close(self, outcome: Outcome, failure: Failure | None) -> None:
        await self.session.close()
        after = self.session.after
        self.port.witness = lambda _: None
        kept = await self.evidence.keep(outcome, failure)
        if kept.trouble is not None:
            self.world.show(Notice(self.port.slot.name, kept.words))
        self.record = await self.journal.close(
            self._opened(),
            AttemptClosed(
                attempt_id=self.journal.attempt_id,
                outcome=outcome,
                failure=failure,
                ended_utc_us=self.world.clock(),
                duration_us=round((trio.current_time() - self.began) * 1_000_000),
                verify=self.verify,
                unit=self.session.unit,
                firmware_after=None if after is None else after.firmware,
                final_mode=self.session.mode,
                readings=_readings(after) | kept.readings,
                evidence=kept.files,
                clashes=self.clashes,
                measurements=measured(self.journal.steps, self.session),
            ),
        )
        await self.evidence.done()

    # --- for eyes ----------------------------------------------------------------------------

    def _is_meant(self, device: DeviceInfo) -> bool:
        """A loss that made the attempt recover may be seen by the scan only then."""
        seen_late = self.step == "recover" and device == self.ladder.lost
        step = self._worked_at if seen_late else self.step
        return is_meant(step, self.session.families.mode_of(device))

    def _step_started(self, name: str) -> None:
        self.step = name
        if name != "recover":
            self._worked_at = name
        self.world.show(StepStarted(self.port.slot.name, name))

    def _watch(self, seen: dialogue.Progress | dialogue.Notice) -> None:
        slot = self.port.slot.name
        if isinstance(seen, dialogue.Progress):
            self.world.show(Progress(slot, self.step, seen.done_bytes, seen.total_bytes))
        else:
            self.world.show(Notice(slot, seen.text))


def _readings(after: Unit | None) -> dict[str, str]:
    """What the module said at the end, by name; other families add their own names."""
    if after is None:
        return {}
    values = {
        "imei": after.imei,
        "serial": after.serial,
        "firmware": after.firmware,
        "functionality": None if after.functionality is None else str(after.functionality),
    }
    return {name: value for name, value in values.items() if value is not None}
