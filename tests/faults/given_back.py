"""A module that an attempt switched to EDL and did not write is in normal mode again at its end.

Its mishap may forbid that: it lasts, it can strike again, or it took the module away. A module that
arrives in EDL by itself goes back there; and where nothing proves that the module is the one that
was switched, nothing more is done to it.
"""

from station.errors import HubFailed, PulledOut
from station.model import AttemptRecord, Mode
from station.sim.faults import FAULTS, Arrival
from station.sim.mishap import What
from station.sim.module import SimModule
from tests.faults.promise import LASTING
from tests.holding import hold

SWITCHES = "enter_edl"
"""The step that an attempt has begun which has talked, or will talk, to a boot ROM."""

ERASES = "erase"

_STRANGE = (PulledOut.code, HubFailed.code)
_DEAF = (FAULTS["silent-sahara"].traits, FAULTS["no-edl"].traits)
"""Nobody in EDL hears the reset."""


def check(where: str, module: SimModule, chain: list[AttemptRecord]) -> None:
    """Of one module's attempts, one after the other, in their end. Raises Broken."""
    last = chain[-1]
    if was_switched(last) and not was_begun(chain) and not is_forbidden(module, last):
        told = None if last.closed is None else last.closed.final_mode
        hold(told is Mode.RUNTIME, f"{where}: not given back, it is {told}")
        hold(module.mode == "runtime", f"{where}: not given back, it is in {module.mode}")


def was_switched(record: AttemptRecord) -> bool:
    return any(step.name == SWITCHES for step in record.steps)


def was_begun(chain: list[AttemptRecord]) -> bool:
    """Whether it was, or may have been, written."""
    return any(step.name == ERASES for record in chain for step in record.steps)


def is_forbidden(module: SimModule, record: AttemptRecord) -> bool:
    fate = module.fate
    failure = None if record.closed is None else record.closed.failure
    lasts = fate.is_ill and fate.mishap.what in LASTING
    away = fate.mishap.what is What.VANISHES and fate.struck > 0  # until its power is cycled
    strange = failure is not None and failure.code in _STRANGE
    hears = module.traits.arrival is Arrival.FLASH and module.traits not in _DEAF
    return lasts or away or fate.struck < fate.mishap.times or strange or not hears
