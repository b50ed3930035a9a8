"""Whether a module may be touched, as far as its names tell: quarantine, and names that another
module goes by.

Asked when the module has said who it is, and again when its chip serial is read, which is before
anything is erased.
"""

from datetime import UTC, datetime

from station.errors import (
    DefaultImei,
    ForeignTac,
    IdentityClash,
    ImeiInvalid,
    Quarantined,
    StationError,
)
from station.model import Clash, ClashKind, Unit
from station.store.clashes import Against
from station.store.unit_events import UnitEvent
from station.store.writer import Store

_BY_ITSELF: dict[type[StationError], ClashKind] = {
    ImeiInvalid: ClashKind.CHECK_DIGIT,
    DefaultImei: ClashKind.DEFAULT_IMEI,
    ForeignTac: ClashKind.FOREIGN_TAC,
}


class Doubles(IdentityClash):
    """Knows what is to be recorded."""

    def __init__(self, cause: str, clashes: tuple[Clash, ...]) -> None:
        super().__init__(cause)
        self.clashes = clashes


async def check_names(store: Store, unit: Unit, attempt_id: str) -> None:
    """Raises Quarantined, IdentityClash; StoreError where it cannot be known."""
    against: Against = await store.known_against(unit, attempt_id)
    if against.quarantine is not None:
        raise Quarantined(_told(against.quarantine))
    if against.clashes:
        raise Doubles(_cause(against.clashes[0], unit), against.clashes)


def clashes_of(error: StationError | None, unit: Unit) -> tuple[Clash, ...]:
    """What the record is to keep of a verdict about names."""
    if isinstance(error, Doubles):
        return error.clashes
    kind = None if error is None else _BY_ITSELF.get(type(error))
    if kind is None:
        return ()
    value = unit.tac if kind is ClashKind.FOREIGN_TAC else unit.imei
    return (Clash(kind, value or ""),)


def _told(event: UnitEvent) -> str:
    who = event.actor or "the station"
    return f"{who} put it in quarantine at {_moment(event.utc_us)} UTC: {event.reason}"


def _cause(clash: Clash, unit: Unit) -> str:
    this = f"IMEI {unit.imei or 'unknown'} and chip serial {unit.chip_serial or 'unknown'}"
    seen = ""
    if "slot" in clash.detail:
        when = _moment(int(clash.detail["utc_us"]))
        seen = f", seen in slot {clash.detail['slot']} of {clash.detail['station']} at {when} UTC"
    return f"this module has {this}; another has {clash.detail.get('other')}{seen}"


def _moment(utc_us: int) -> str:
    return f"{datetime.fromtimestamp(utc_us / 1e6, UTC):%Y-%m-%d %H:%M}"
