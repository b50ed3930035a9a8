"""Procedure name -> the steps that change a unit, in order.

`identify`, `select` and `preflight` come before them and belong to every procedure; `give_back`
follows a failure between the switch and the first erase.
"""

from station.config import Recipe
from station.errors import BackupNotMade, NoDownloadMode, NoHello, NoReturn
from station.flash.backup import back_up_inside
from station.flash.confirm import confirm, reset
from station.flash.dump import dump
from station.flash.edl import check_layout, configure, enter_edl, load_programmer
from station.flash.session import Step
from station.flash.write import erase, program, verify
from station.model import BACKUP_STEP, DUMP_STEP, LAYOUT_STEP

_EDL = "enter_edl"
"""From the first look to the last read-back, work that was cut short begins anew here."""

QUECTEL_EDL = (
    Step(BACKUP_STEP, back_up_inside, late=BackupNotMade),
    Step("enter_edl", enter_edl, repeatable=True, late=NoDownloadMode),
    Step("load_programmer", load_programmer, late=NoHello, anew=_EDL),
    Step("configure", configure, anew=_EDL),
    Step(LAYOUT_STEP, check_layout, anew=_EDL),
    Step(DUMP_STEP, dump, anew=_EDL),
    Step("erase", erase, anew=_EDL),
    Step("program", program, anew=_EDL),
    Step("verify", verify, anew=_EDL),
    Step("reset", reset, is_patient=True),
    Step("confirm", confirm, late=NoReturn, is_patient=True, anew="reset"),
)

PROCEDURES = {"quectel_edl": QUECTEL_EDL}
_BACKUPS = {BACKUP_STEP: "module", DUMP_STEP: "dump"}


def steps_of(recipe: Recipe) -> tuple[Step, ...]:
    """The steps of its procedure; those that back something up only if it asks for them."""
    steps = PROCEDURES[recipe.procedure]
    return tuple(s for s in steps if s.name not in _BACKUPS or _BACKUPS[s.name] in recipe.backup)
