"""What differs between the simulated families apart from their flash (`station.sim.layouts`).

Ref: strings of the 9x07 programmer; recorded banner of SDX55; ModemManager port type rules.
"""

from dataclasses import dataclass

_SDX55_FUNCTIONS = (
    "program",
    "read",
    "nop",
    "patch",
    "configure",
    "setbootablestoragedrive",
    "erase",
    "power",
    "firmwarewrite",
    "getstorageinfo",
    "benchmark",
    "emmc",
    "ufs",
    "fixgpt",
    "getsha256digest",
)


@dataclass(frozen=True, slots=True)
class Family:
    """`tac`: type allocation code of its IMEIs; `banner`: what its programmer says first."""

    usb_pid: int
    superspeed: bool
    edl_protocol: int
    tac: str
    banner: tuple[str, ...]


FAMILIES = {
    "ec25": Family(
        usb_pid=0x0125,
        superspeed=False,
        edl_protocol=0xFF,
        tac="86686604",
        banner=(
            "Binary build date: Nov 20 2020 @ 12:00:00",
            "Chip serial num: 0 (0x0)",
            "Supported Functions: program configure power benchmark read getstorageinfo erase nop",
        ),
    ),
    "rm500q": Family(
        usb_pid=0x0800,
        superspeed=True,
        edl_protocol=0x11,
        tac="86375104",
        banner=(
            "Binary build date: Nov 20 2020 @ 12:00:00",
            "Chip serial num: 0 (0x0)",
            "Supported Functions (15):",
            *_SDX55_FUNCTIONS,
            "End of supported functions 15",
        ),
    ),
}
