"""What may be odd about a simulated module, and the named faults made of it.

A fault is a set of traits: one table, applied when a module is built. Images are counted from 1
in the order they arrive.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum

from station.errors import ConfigError
from station.protocols.sahara import Status


class Arrival(Enum):
    """How a module shows up when it is plugged in."""

    FLASH = "flash"
    """As its flash content makes it boot."""
    EDL = "edl"
    PROGRAMMER = "programmer"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True)
class Traits:
    """The defaults are a healthy module."""

    arrival: Arrival = Arrival.FLASH
    boot_usb_s: float | None = None
    noisy_at: bool = False
    at_values_s: float = 0.0
    """So long after the AT port is up some values are still refused."""
    other_variant: bool = False
    imei: str | None = None
    """In place of one of its own."""
    chip_serial: str | None = None
    """Likewise."""
    offers_backup: bool = True
    counts_backups: bool = True
    hangs_once: bool = False
    """Mute from its first moment until its power was off."""

    echoes_switch: bool = True
    reaches_edl: bool = True
    serial_in_product: bool = True
    crash_readable: bool = True
    """Its interfaces in memory-dump mode."""
    boot_loop_s: float | None = None
    """In EDL it starts anew after so long, until a programmer runs."""

    sahara_version: int = 2
    sahara_silent: bool = False
    sahara_greets: bool = True
    echoed_hellos: int = 0
    """So many enumerations in EDL begin with somebody who sends the HELLO back."""
    answers_commands: bool = True
    refuses_commands: bool = False
    refuses_with: Status | None = None
    done_status: int = 1
    wide_reads: bool = False

    bad_blocks: bool = False
    raw_reads: bool = False
    zlp_after_read: bool = False
    refuses_reads: bool = False
    refuses_efs_reads: bool = False
    other_geometry: bool = False
    efs_moved: bool = False

    wants_tables: bool = False
    """Its programmer is one with VIP."""
    payload_bytes: int = 8192
    nak_program: int | None = None
    nak_early_program: int | None = None
    spoils_program: int | None = None
    unplug_after_bytes: int | None = None

    returns_after_flash: bool = True
    returns_by_power: bool = False
    """If it does not return after the flash, a cycle of its power brings it."""
    keeps_version: bool = False
    other_imei: bool = False
    functionality_after_flash: int = 1


@dataclass(frozen=True, slots=True)
class Fault:
    """A named way to be broken; `description` is one line for `--list-faults`."""

    description: str
    traits: Traits


FAULTS = {
    "nak": Fault("refuses the second image after its data", Traits(nak_program=2)),
    "wrong-programmer": Fault(
        "its boot ROM rejects every programmer (status 0x21)",
        Traits(refuses_with=Status.HASH_TABLE_AUTHENTICATION_FAILURE),
    ),
    "unplug": Fault(
        "vanishes while it is programmed and stays away", Traits(unplug_after_bytes=100_000)
    ),
    "silent-sahara": Fault("comes up in EDL but never says a word", Traits(sahara_silent=True)),
    "no-return": Fault("never comes back after the reset", Traits(returns_after_flash=False)),
    "no-return-once": Fault(
        "comes back after the reset only when its power was cycled",
        Traits(returns_after_flash=False, returns_by_power=True),
    ),
    "boot-loop": Fault(
        "arrives in a boot loop that offers EDL for 14 s at a time",
        Traits(arrival=Arrival.EDL, boot_loop_s=14.0),
    ),
    "old-version": Fault("reports the old version after the flash", Traits(keeps_version=True)),
    "other-imei": Fault("reports another IMEI after the flash", Traits(other_imei=True)),
    "ftm": Fault(
        "comes back in factory test mode (CFUN 5)", Traits(functionality_after_flash=5)
    ),
    "early-nak": Fault("refuses the second image amid its data", Traits(nak_early_program=2)),
    "slow-boot": Fault("takes 40 s to come back after the reset", Traits(boot_usb_s=40.0)),
    "arrives-in-edl": Fault("is in EDL when it is plugged in", Traits(arrival=Arrival.EDL)),
    "arrives-programmer-running": Fault(
        "is in EDL with a programmer running when it is plugged in",
        Traits(arrival=Arrival.PROGRAMMER),
    ),
    "arrives-900e": Fault(
        "is in memory-dump mode when it is plugged in", Traits(arrival=Arrival.CRASHED)
    ),
    "bad-blocks": Fault("has bad blocks inside two images", Traits(bad_blocks=True)),
    "bad-blocks-raw": Fault(
        "has bad blocks and reads by physical address", Traits(bad_blocks=True, raw_reads=True)
    ),
    "corrupt-write": Fault("flips a bit in the second image", Traits(spoils_program=2)),
    "mibib-moved": Fault("keeps EFS2 where the package puts another partition",
                         Traits(efs_moved=True)),
    "wrong-geometry": Fault("has flash with pages of twice the size", Traits(other_geometry=True)),
    "mute-command-mode": Fault(
        "never answers in Sahara command mode", Traits(answers_commands=False)
    ),
    "refuses-command-mode": Fault(
        "refuses Sahara command mode and wants a reset then (status 0x18)",
        Traits(refuses_commands=True),
    ),
    "sahara-v1": Fault(
        "speaks Sahara version 1, which has no command mode", Traits(sahara_version=1)
    ),
    "sahara-v3": Fault("speaks Sahara version 3", Traits(sahara_version=3)),
    "missed-hello": Fault(
        "somebody else swallowed its Sahara HELLO", Traits(sahara_greets=False)
    ),
    "echoed-hello": Fault(
        "once somebody's tty sent its Sahara HELLO back to it", Traits(echoed_hellos=1)
    ),
    "no-serial-string": Fault(
        "has no serial in its EDL product string", Traits(serial_in_product=False)
    ),
    "no-echo": Fault("leaves for EDL without the DIAG echo", Traits(echoes_switch=False)),
    "no-edl": Fault("leaves for EDL and never gets there", Traits(reaches_edl=False)),
    "at-echo-urc-noise": Fault(
        "echoes always and mixes unsolicited lines into replies", Traits(noisy_at=True)
    ),
    "at-slow-values": Fault(
        "refuses version, serial and CFUN for 6 s after it answers AT", Traits(at_values_s=6.0)
    ),
    "default-imei": Fault(
        "has an IMEI that is nobody's own", Traits(imei="004999010640000")
    ),
    "copied-chip": Fault(
        "has the chip serial of every module with this fault", Traits(chip_serial="0c0b1ed0")
    ),
    "hung": Fault("answers nothing until its power was off", Traits(hangs_once=True)),
    "wide-payload": Fault(
        "is in EDL when it is plugged in and takes payloads of 1 MiB",
        Traits(arrival=Arrival.EDL, payload_bytes=1 << 20),
    ),
    "wrong-variant": Fault("is another hardware variant", Traits(other_variant=True)),
    "read-zlp": Fault(
        "ends each read with a zero-length packet", Traits(zlp_after_read=True)
    ),
    "edl-read-refused": Fault(
        "refuses every read in EDL although it lists the command", Traits(refuses_reads=True)
    ),
}  # fmt: skip


def fault_named(name: str) -> Fault:
    """Raises ConfigError with the nearest name."""
    if (fault := FAULTS.get(name)) is not None:
        return fault
    near = get_close_matches(name, FAULTS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(FAULTS)}"
    raise ConfigError(f"no fault is called {name!r}; {hint}")
