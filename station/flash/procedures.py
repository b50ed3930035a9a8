"""Procedure name -> the steps that change a unit, in order.

`identify`, `select` and `preflight` come before them and belong to every procedure; `give_back`
follows a failure between the switch and the first erase.
"""

from station.errors import NoDownloadMode, NoHello, NoReturn
from station.flash.confirm import confirm, reset
from station.flash.edl import check_layout, configure, enter_edl, load_programmer
from station.flash.session import Step
from station.flash.write import erase, program, verify

QUECTEL_EDL = (
    Step("enter_edl", enter_edl, repeatable=True, late=NoDownloadMode),
    Step("load_programmer", load_programmer, late=NoHello),
    Step("configure", configure),
    Step("partition_table", check_layout),
    Step("erase", erase),
    Step("program", program),
    Step("verify", verify),
    Step("reset", reset),
    Step("confirm", confirm, late=NoReturn),
)

PROCEDURES = {"quectel_edl": QUECTEL_EDL}
