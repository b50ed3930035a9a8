"""Who an attempt that lost its module counts against: the unit, a hand, the hub, or a station that
cannot look."""

from collections.abc import Callable
from contextlib import suppress

import trio

from station.engine.claims import Claims
from station.engine.fate import TOGETHER_S
from station.engine.ports import SlotPort
from station.errors import (
    Blame,
    Disconnected,
    HubFailed,
    NoDownloadMode,
    NoReturn,
    PortsUnwatched,
    PulledOut,
    StationError,
    Timeout,
    UsbError,
)
from station.flash.ladder import QUIET_S
from station.model import DeviceInfo, Mode

GONE_S = QUIET_S
"""A module lost for so long was pulled out; one that is back sooner had a bad contact."""

BLIND_S = 5.0
"""The ports are looked at each second; after so long nobody knows who is there."""

_ABSENCES = (Disconnected, Timeout, NoDownloadMode, NoReturn)
"""What a module is accused of that was not seen."""

_ANY = frozenset(Mode)
_MEANT_TO_LEAVE = {
    "enter_edl": _ANY - {Mode.EDL},
    "load_programmer": _ANY - {Mode.EDL},
    "reset": frozenset({Mode.EDL}),
    "confirm": frozenset({Mode.EDL}),
    "give_back": _ANY,
    "recover": _ANY,
}


def is_meant(step: str, mode: Mode) -> bool:
    """Whether the step makes a module leave this mode; one that leaves any other is lost."""
    return mode in _MEANT_TO_LEAVE.get(step, ())


async def blamed(
    error: StationError,
    port: SlotPort,
    claims: Claims,
    lost: DeviceInfo | None,
    *,
    during: str,
    since_s: float,
) -> StationError:
    """What the attempt, which runs `since_s`, ends with. A device lost for good was pulled out; the
    operator must be told just that. One that was lost with others was lost by their hub: so this
    waits, at most GONE_S + TOGETHER_S, until it is known who else is."""
    if error.blame is not Blame.UNIT:
        return error
    blind_s = trio.current_time() - port.looked_s
    if isinstance(error, _ABSENCES) and blind_s > BLIND_S:
        words = f"the USB ports could not be looked at for {blind_s:.0f} s"
        return PortsUnwatched(f"{words}, so it is not known: {error.code} {error.cause}")
    here = port.device
    if isinstance(error, Disconnected):
        await _see(port, lambda device: device not in (None, lost), GONE_S)
    elif isinstance(error, UsbError):  # a hub that fails garbles before it is gone
        await _see(port, lambda device: device != here, TOGETHER_S)
    await trio.sleep_until(port.lost_s + TOGETHER_S)
    if (failure := port.hub_failure(since_s)) is not None:
        return HubFailed(failure.cause)
    if isinstance(error, Disconnected) and port.device is None:
        other = claims.seen_in(port.slot.name)
        where = "" if other is None else f"; it is in slot {other} now"
        return PulledOut(f"the module left slot {port.slot.name} during {during}{where}")
    return error


async def _see(
    port: SlotPort, accept: Callable[[DeviceInfo | None], bool], timeout_s: float
) -> None:
    with suppress(Timeout):
        await port.wait(accept, timeout_s)
