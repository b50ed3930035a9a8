"""The recovery ladder: what is tried, in this order, when a step fails in a way that may pass.

    wait for its return | open it again -> reset its USB port -> cycle its power
    -> wait for a hand to put it back -> the verdict

Reading again and the nudges of a boot ROM or programmer that is silent come before, inside the
dialogues (`station.protocols.sahara.greet`). Each rung is taken once or a few times in an attempt,
has a deadline and is a step of the record, whether it helped or not. After it the work begins anew
where that is safe, with all its checks: nothing that was written before is trusted, and a module
must prove that it is the same, unless it was seen to leave and come back by what a rung did to it;
and what it tells of its chip must agree even then.
"""

import math
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from functools import partial

import trio

from station.errors import (
    Crashed,
    DataRefused,
    Disconnected,
    NoDownloadMode,
    NoReturn,
    NoUsbMemory,
    PowerUnswitchable,
    SessionReset,
    StationError,
    Timeout,
    UsbError,
)
from station.flash.runner import StepRunner
from station.flash.session import Session, Step, StepResult
from station.model import DeviceInfo, Mode
from station.protocols import sahara
from station.transport.base import PowerProof, Switched

QUIET_S = 6.0
"""A module with a bad contact, or in a boot loop, is back by then."""

ASK_S = 2.0
"""A contact that slipped is over by then; who is away for longer may need a hand."""

BOOT_S = 45.0
"""From a reset to the first sign of a mode; modules boot in 15 to 30 s."""

OVERHEAD_S = 10.0
"""For the deeds of a rung, beside its waiting."""


class Rung(Enum):
    """In this order."""

    AWAIT = "wait for its return"
    REOPEN = "open again"
    USB_RESET = "reset the USB port"
    POWER = "cycle the power"
    PUT_BACK = "wait for it to be put back"


RUNGS = {Rung.AWAIT: 3, Rung.REOPEN: 1, Rung.USB_RESET: 1, Rung.POWER: 1, Rung.PUT_BACK: 1}
"""How often each may be taken in an attempt. A boot loop, or a bad contact, needs the first more
than once."""

PowerCycle = Callable[[Callable[[], None]], Awaitable[PowerProof]]
"""It calls what it is given just before the power goes: it may have to wait for that of others."""

_MODES = (Mode.RUNTIME, Mode.EDL, Mode.CRASHED)


def may_pass(error: StationError) -> bool:
    """Whether trying again in this attempt can help: all that is retryable, and three that another
    attempt would not cure, but a cycle of the power or one more sending may. Wrong programmer,
    geometry or variant: never."""
    return error.retryable or isinstance(error, NoReturn | Crashed | DataRefused)


@dataclass(slots=True)
class Ladder:
    """One attempt's. `power` is None where nobody can switch the slot's power; `put_back_s` is
    the time for a hand to put a module back that was pulled out of the work, 0: none is asked for;
    `gone` is told when that time ends (seconds of trio's clock), once the module has been away for
    ASK_S, and None once it is back or given up;
    `hub_failed`: it was lost with others, so neither its power nor a hand can help."""

    session: Session
    runner: StepRunner
    power: PowerCycle | None = None
    put_back_s: float = 0.0
    gone: Callable[[float | None], None] = lambda _: None
    hub_failed: Callable[[], bool] = lambda: False
    left: dict[Rung, int] = field(default_factory=lambda: dict(RUNGS))
    lost: DeviceInfo | None = None
    """The enumeration whose loss is being recovered from."""
    _back_by_s: float | None = None

    async def run(
        self, steps: Sequence[Step], limit_s: Callable[[Step], float], *, retries: int = 0
    ) -> list[StepResult]:
        """All the steps in order, begun anew after each rung; what the last round came to.

        Raises what the last step raised once no rung is left that could help.
        """
        names = [step.name for step in steps]
        results: list[StepResult] = []
        while (at := len(results)) < len(steps):
            step = steps[at]
            try:
                result = await self.runner.run(step, limit_s=limit_s(step), retries=retries)
            except StationError as error:
                await self.climb(error, step)
                anew = names.index(step.anew or step.name)
                results = [*results, StepResult()][:anew]
            else:
                results.append(result)
        return results

    async def climb(self, error: StationError, step: Step) -> None:
        """Take the next rung that works. Raises `error` if there is none."""
        is_lost = isinstance(error, Disconnected | SessionReset)
        lost = self.lost = self.session.device if is_lost else None
        try:
            while (rung := self._next(error, step, lost)) is not None:
                because = f"{step.name}: {error.code} {error.cause}"
                told = {"rung": rung.value, "because": because}
                deed = Step("recover", partial(self._take, rung, step, lost), detail=told)
                try:
                    await self.runner.run(deed, limit_s=self._limit_s(rung))
                except (UsbError, NoReturn) as trouble:
                    self.left[rung] = 0
                    self.session.tape.said("recovery", f"{rung.value}: {trouble}; {because}")
                else:
                    return
        finally:
            self._tell_gone(None)
        raise error

    def _next(self, error: StationError, step: Step, lost: DeviceInfo | None) -> Rung | None:
        if not may_pass(error):
            return None
        useful = self._useful(error, step, away=self.session.port.device in (None, lost))
        rung = next((rung for rung in Rung if rung in useful and self.left[rung]), None)
        if rung is not None:
            self.left[rung] -= 1
        return rung

    def _useful(self, error: StationError, step: Step, *, away: bool) -> set[Rung]:
        """The rungs that make sense after this failure."""
        session, has_left = self.session, isinstance(error, Disconnected)
        if isinstance(error, Crashed | SessionReset):
            useful = {Rung.AWAIT, Rung.POWER}
        elif has_left and not session.touched and self._was_pulled(step):
            useful = set()  # before anything was done to it
        elif step.is_patient or isinstance(error, NoReturn | NoDownloadMode):
            useful = {Rung.POWER}
            if session.mode is Mode.RUNTIME and not has_left:
                useful.add(Rung.USB_RESET)
            if session.mode is Mode.EDL and self.power is None:
                useful.add(Rung.USB_RESET)  # whoever listens there hears the next word, it may be
        elif isinstance(error, NoUsbMemory | DataRefused):
            useful = {Rung.REOPEN}  # the module is well, or its flash memory is not
        elif has_left:
            useful = {Rung.AWAIT, Rung.POWER, Rung.PUT_BACK}
        else:
            useful = {Rung.REOPEN, Rung.USB_RESET, Rung.POWER}
        if self.power is None:
            useful.discard(Rung.POWER)
        if self.hub_failed():
            useful -= {Rung.POWER, Rung.PUT_BACK}
        if not session.touched or not away:
            useful.discard(Rung.PUT_BACK)
        return useful

    def _was_pulled(self, step: Step) -> bool:
        """It stayed away. One in a boot loop that happens to be off the bus now has not left."""
        port = self.session.port
        quiet_s = trio.current_time() - port.lost_s
        return step.is_patient and port.device is None and quiet_s >= QUIET_S

    def _limit_s(self, rung: Rung) -> float:
        """The first time, power may have to wait for that of another on the hub."""
        waits = {Rung.POWER: 3 * BOOT_S, Rung.PUT_BACK: self.put_back_s}
        return waits.get(rung, QUIET_S + BOOT_S) + OVERHEAD_S

    async def _take(
        self, rung: Rung, step: Step, lost: DeviceInfo | None, session: Session
    ) -> StepResult:
        await session.let_go()
        began_s = trio.current_time()
        if session.touched and lost is not None and not step.is_patient:
            await self._ask_for_a_hand(rung, session, lost)
        device = await self._climb_on(rung, session, lost, began_s)
        there = f"there as {device.usb_id}"
        session.tape.said("recovery", f"{rung.value}: {there}; after {step.name}")
        return StepResult(detail={"then": there})

    async def _ask_for_a_hand(self, rung: Rung, session: Session, lost: DeviceInfo) -> None:
        """Once it stays away, and where a hand can help. The time for it runs from the beginning of
        the rung."""
        until_s = self._given_up_s(rung)
        if self.put_back_s <= 0 or (self._back_by_s is None and await _is_back(session, lost)):
            return
        if not self.hub_failed():
            self._tell_gone(until_s)

    def _given_up_s(self, rung: Rung) -> float:
        """When nobody needs to put it back any more. The time for which its power is cycled is not
        taken from the hand."""
        now_s = trio.current_time()
        if rung is Rung.POWER:
            return now_s + BOOT_S + self.put_back_s
        return min(self._back_by_s or math.inf, now_s + self.put_back_s)

    async def _climb_on(
        self, rung: Rung, session: Session, lost: DeviceInfo | None, began_s: float
    ) -> DeviceInfo:
        match rung:
            case Rung.AWAIT | Rung.REOPEN:
                return await _come_back(session, lost, began_s + QUIET_S)
            case Rung.USB_RESET:
                return await _reset_port(session)
            case Rung.POWER:
                return await self._cycle_power(session)
            case Rung.PUT_BACK:
                return await _come_back(session, lost, self._back_by_s or began_s)

    async def _cycle_power(self, session: Session) -> DeviceInfo:
        if self.power is None:
            raise PowerUnswitchable("nothing here can switch it")
        is_ours = False

        def begins() -> None:
            nonlocal is_ours
            is_ours = _is_ours(session, session.port.device)
            if self._back_by_s is not None:
                self._tell_gone(self._given_up_s(Rung.POWER))

        proof = await self.power(begins)
        if proof.verdict not in (Switched.SWITCHES, Switched.NO_RETURN):
            raise PowerUnswitchable(f"{proof.verdict.value}: {proof.why}")
        has_returned = proof.verdict is Switched.SWITCHES
        device = await session.await_mode(*_MODES, timeout_s=BOOT_S if has_returned else 0)
        if is_ours and has_returned and _left_by_it(proof):
            session.trusted = device
        return await _uncrashed(session, device)

    def _tell_gone(self, back_by_s: float | None) -> None:
        if back_by_s != self._back_by_s:
            self._back_by_s = back_by_s
            self.gone(back_by_s)


async def _is_back(session: Session, lost: DeviceInfo) -> bool:
    """Within ASK_S."""
    with suppress(Timeout):
        await session.port.wait(lambda device: device not in (None, lost), ASK_S)
        return True
    return False


async def _come_back(session: Session, lost: DeviceInfo | None, until_s: float) -> DeviceInfo:
    """Whoever left is waited for; the board may show the one that is lost for a moment yet."""
    left_s = until_s - trio.current_time()
    await session.port.wait(lambda device: device not in (None, lost), left_s)
    return await _uncrashed(session, await session.await_mode(*_MODES, timeout_s=QUIET_S))


def _is_ours(session: Session, device: DeviceInfo | None) -> bool:
    return device is not None and session.trusted == device


def _left_by_it(proof: PowerProof) -> bool:
    """It was there, left when its power was cut, and was back before a hand could exchange it. One
    that takes longer boots into normal mode, where it can be asked."""
    return proof.left_s is not None and (proof.back_s or 0.0) <= QUIET_S


async def _reset_port(session: Session) -> DeviceInfo:
    device = await session.await_mode(*_MODES, timeout_s=0)
    is_ours = _is_ours(session, device)
    await session.backend.reset(device)
    device = await session.await_mode(*_MODES, timeout_s=QUIET_S)
    if is_ours:
        session.trusted = device
    return await _uncrashed(session, device)


async def _uncrashed(session: Session, device: DeviceInfo) -> DeviceInfo:
    """A module that offers its memory dump is told to start anew. Raises NoReturn for one that
    cannot be told."""
    if session.families.mode_of(device) is not Mode.CRASHED:
        return device
    is_ours = _is_ours(session, device)
    device = await _readable(session, device)
    await session.open(device, device.interfaces[0].number, line_state=False)
    try:
        await session.run(sahara.reset(timeout_s=1.0))
    finally:
        await session.close()
    await session.port.wait(lambda now: now != device, QUIET_S)
    back = await session.await_mode(Mode.RUNTIME, Mode.EDL, timeout_s=BOOT_S)
    if is_ours:
        session.trusted = back
    return back


async def _readable(session: Session, device: DeviceInfo) -> DeviceInfo:
    """The same enumeration with its interfaces, which may be read a moment after it is seen."""

    def is_read(now: DeviceInfo | None) -> bool:
        return now is not None and now.generation == device.generation and bool(now.interfaces)

    with suppress(Timeout):
        return await session.port.wait(is_read, QUIET_S) or device
    raise NoReturn(f"the module shows {device.usb_id}, and its interfaces cannot be read")
