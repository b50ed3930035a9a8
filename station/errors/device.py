"""D2xx: verdicts on the module itself."""

from station.errors.base import Blame, StationError


class DeviceError(StationError):
    """The module is not what it must be."""


class UnknownMode(DeviceError):
    code = "D201"
    headline = "UNKNOWN MODE"
    remedy = "Power-cycle the module; if it comes back the same, give it to the line engineer."
    blame = Blame.REFUSAL


class Crashed(DeviceError):
    code = "D202"
    headline = "CRASHED"
    remedy = "Power-cycle the module: it is in memory-dump mode and cannot be flashed there."
    blame = Blame.REFUSAL


class ProgrammerRejected(DeviceError):
    code = "D203"
    headline = "WRONG PACKAGE"
    remedy = "Check that label and recipe match the module: its boot ROM refuses the programmer."


class GeometryMismatch(DeviceError):
    code = "D204"
    headline = "WRONG FLASH"
    remedy = "The package is made for another flash memory; choose the recipe of this variant."


class PartitionMismatch(DeviceError):
    code = "D205"
    headline = "WRONG LAYOUT"
    remedy = "Do not flash: the package would overwrite calibration. Call the line engineer."


class NoReturn(DeviceError):
    code = "D206"
    headline = "NO RETURN"
    remedy = "Power-cycle the module; if it stays away, put it in the red bin."


class WrongVersionAfter(DeviceError):
    code = "D207"
    headline = "OLD VERSION"
    remedy = "Run the module again; if it repeats, check the version written in the recipe."


class IdentityChanged(DeviceError):
    code = "D208"
    headline = "OTHER IMEI"
    remedy = "Keep both modules apart: either they were swapped or the identity is damaged."


class FactoryTestMode(DeviceError):
    code = "D209"
    headline = "RADIO LOST"
    remedy = "Put the module in the red bin: it is in factory test mode, its radio data is lost."


class VerifyMismatch(DeviceError):
    code = "D210"
    headline = "BAD VERIFY"
    remedy = "Run the module once more; if it repeats, put it in the red bin (flash memory)."


class NoDownloadMode(DeviceError):
    code = "D211"
    headline = "NO EDL"
    remedy = "Power-cycle the module and run it again: it never came up in download mode."
    retryable = True


class UnknownInEdl(DeviceError):
    code = "D212"
    headline = "UNKNOWN UNIT"
    remedy = "Name the recipe and the slot to flash it: it is in EDL and the station never saw it."
    blame = Blame.REFUSAL


class WrongFamily(DeviceError):
    code = "D213"
    headline = "WRONG FAMILY"
    remedy = "Take the module out: this station cannot flash its chip family."
    blame = Blame.REFUSAL


class IdentityUnreadable(DeviceError):
    code = "D214"
    headline = "NO IDENTITY"
    remedy = "Put the module aside: it does not tell who it is, what it runs or how it is."
    blame = Blame.REFUSAL


class ImeiInvalid(DeviceError):
    code = "D215"
    headline = "BAD IMEI"
    remedy = "Put the module aside for the line engineer: its IMEI is not a valid number."
    blame = Blame.REFUSAL


class DuplicateUnit(DeviceError):
    code = "D216"
    headline = "IMEI TWICE"
    remedy = "Take both modules out and check their labels: two slots show the same identity."
    blame = Blame.REFUSAL


class ArrivedInTestMode(DeviceError):
    code = "D217"
    headline = "RADIO LOST"
    remedy = "Put the module aside for repair: it arrived in factory test mode."
    blame = Blame.REFUSAL


class Swapped(DeviceError):
    code = "D218"
    headline = "SWAPPED"
    remedy = "Leave one module in the slot and run it again: it was changed while it was checked."
    blame = Blame.REFUSAL


class BackupNotOffered(DeviceError):
    code = "D219"
    headline = "CANNOT BACK UP"
    remedy = "Let the line engineer see whether the recipe may do without `backup: [module]`."
    blame = Blame.REFUSAL


class BackupNotMade(DeviceError):
    """Never tried again by itself, and no reason to cut the power: it may still be at it."""

    code = "D220"
    headline = "NO BACKUP"
    remedy = "Leave it powered for a minute, then run it once more; if it repeats, put it aside."


class DumpFailed(DeviceError):
    code = "D221"
    headline = "NO DUMP"
    remedy = "Run the module once more; if it repeats, put it aside: its EFS2 cannot be read."


class IdentityClash(DeviceError):
    """Two modules go by one name; both are put in quarantine."""

    code = "D222"
    headline = "IMEI CLASH"
    remedy = (
        "Put the module in the red bin and call the line engineer: see `station audit clashes`."
    )
    blame = Blame.REFUSAL


class DefaultImei(DeviceError):
    code = "D223"
    headline = "DEFAULT IMEI"
    remedy = "Put the module in the red bin for the line engineer: it has no IMEI of its own."
    blame = Blame.REFUSAL


class ForeignTac(DeviceError):
    code = "D224"
    headline = "FOREIGN TAC"
    remedy = (
        "Put the module aside: its recipes list the TACs of this line, and its is none of them."
    )
    blame = Blame.REFUSAL


class Quarantined(DeviceError):
    code = "D225"
    headline = "QUARANTINE"
    remedy = "Red bin. A line engineer who has looked at it may say `station unit release`."
    blame = Blame.REFUSAL


class ResumesWhenArmed(DeviceError):
    """Shown while it waits; no attempt ends with it."""

    code = "D240"
    headline = "RESUMES WHEN ARMED"
    remedy = "Leave the module in and arm the line with that recipe: it is then written anew."
    blame = Blame.NOBODY


class NotResumed(DeviceError):
    code = "D241"
    headline = "NOT RESUMED"
    remedy = "Arm the recipe that the cause names and retry the slot, or retry with one armed now."
    blame = Blame.REFUSAL
