"""Every way in which work can fail: code, cause, remedy.

    StationError
    +-- U1xx UsbError        the wire: pulled out, busy, silent
    +-- P1xx ProtocolError   Sahara, Firehose, DIAG, AT said something unexpected
    +-- D2xx DeviceError     a verdict on the module itself
    +-- R3xx RecipeError     settings, recipes, the rules that refuse a unit
    +-- F4xx PackageError    firmware packages, the plan made from them
    +-- S5xx StoreError      database, disk, the station's own house
    +-- X9xx                 bugs, and people who stop things

An instance carries the cause in words ("what happened here"); the class carries what is
the same every time: the code, the headline for the screen, the remedy, who is to blame and
whether trying again can help. The class table generates ``deploy/errors.md``.
"""

from collections.abc import Iterator
from enum import Enum
from typing import ClassVar


class Blame(Enum):
    """Who a failure counts against; decides the outcome (`station.model.outcome_of`)."""

    UNIT = "unit"
    REFUSAL = "refusal"
    STATION = "station"
    PERSON = "person"
    NOBODY = "nobody"


class StationError(Exception):
    """Base of the tree. `str(error)` is the cause; never raised itself."""

    code: ClassVar[str]
    headline: ClassVar[str]
    remedy: ClassVar[str]
    blame: ClassVar[Blame] = Blame.UNIT
    retryable: ClassVar[bool] = False

    def __init__(self, cause: str) -> None:
        super().__init__(cause)

    @property
    def cause(self) -> str:
        return str(self)


def all_errors() -> Iterator[type[StationError]]:
    """Every concrete error class, in the order of its code."""
    found: set[type[StationError]] = set()
    todo = [StationError]
    while todo:
        cls = todo.pop()
        todo.extend(cls.__subclasses__())
        if "code" in cls.__dict__:
            found.add(cls)
    yield from sorted(found, key=lambda cls: cls.code)


# --- U1xx: the wire ---------------------------------------------------------------------------


class UsbError(StationError):
    """Something on the USB side; the three words of a handle are kept apart:
    busy (somebody else has it), closed (we closed it), broken (the world broke it)."""


class NoUsb(UsbError):
    code = "U101"
    headline = "NO USB"
    remedy = "Reseat the module; if it stays dark, put it in the red bin: it does not enumerate."
    blame = Blame.REFUSAL


class Disconnected(UsbError):
    code = "U102"
    headline = "LOST"
    remedy = "Check cable and contacts of the slot, then run the module again."
    retryable = True


class Timeout(UsbError):
    code = "U103"
    headline = "SILENT"
    remedy = "Run the module again; if the slot repeats it, clean its connector."
    retryable = True


class UsbBusy(UsbError):
    code = "U104"
    headline = "USB BUSY"
    remedy = "Stop the program that holds the port (ModemManager, a terminal), then try again."
    blame = Blame.STATION


class UsbAccess(UsbError):
    code = "U105"
    headline = "NO ACCESS"
    remedy = "Give the station's user access to the USB devices (udev rule, group), then try again."
    blame = Blame.STATION


class UsbStall(UsbError):
    code = "U106"
    headline = "USB STALL"
    remedy = "Run the module again; if it repeats, the module or its cable is bad."
    retryable = True


class UsbBroken(UsbError):
    code = "U107"
    headline = "USB ERROR"
    remedy = "Check the cable and the hub of the slot, then run the module again."
    retryable = True


class UsbClosed(UsbError):
    code = "U108"
    headline = "STATION BUG"
    remedy = "Keep the module in its slot and send the log of this attempt to the developers."
    blame = Blame.STATION


class UsbUnavailable(UsbError):
    code = "U109"
    headline = "NO LIBUSB"
    remedy = "Install the station again: libusb comes with its package libusb-package."
    blame = Blame.STATION


class PulledOut(UsbError):
    code = "U110"
    headline = "PULLED OUT"
    remedy = "Put the module back into the slot and run it again; do not ship it as it is."


# --- P1xx: protocols --------------------------------------------------------------------------


class ProtocolError(StationError):
    """Bytes that the protocol does not allow; also the base of all protocol errors."""

    code = "P100"
    headline = "BAD ANSWER"
    remedy = "Run the module again; if it repeats, put the module aside for the line engineer."
    retryable = True


class SaharaError(ProtocolError):
    code = "P101"
    headline = "BAD SAHARA"
    remedy = "Power-cycle the module and run it again."


class NoHello(ProtocolError):
    code = "P102"
    headline = "NO HELLO"
    remedy = "Power-cycle the module and run it again; if it repeats, check what else opens USB."


class ImageRefused(ProtocolError):
    code = "P103"
    headline = "LOAD FAILED"
    remedy = "Check that the package fits the module; power-cycle it and run it again."
    retryable = False


class FirehoseError(ProtocolError):
    code = "P111"
    headline = "BAD FIREHOSE"
    remedy = "Power-cycle the module and run it again."


class Nak(ProtocolError):
    code = "P112"
    headline = "REFUSED"
    remedy = "Run the module once more; if it repeats, put it in the red bin (flash memory)."
    retryable = False


class FirehoseSilent(ProtocolError):
    code = "P113"
    headline = "NO ANSWER"
    remedy = "Power-cycle the module and run it again."


class DiagError(ProtocolError):
    code = "P121"
    headline = "NO SWITCH"
    remedy = "Power-cycle the module and run it again."


class AtError(ProtocolError):
    code = "P131"
    headline = "AT ERROR"
    remedy = "Wait until the module has booted and run it again."


class AtSilent(ProtocolError):
    code = "P132"
    headline = "NO AT"
    remedy = "Power-cycle the module and run it again; check that ModemManager is not running."


# --- D2xx: verdicts on the module -------------------------------------------------------------


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


# --- R3xx: settings, recipes, refusals by rule ------------------------------------------------


class RecipeError(StationError):
    """Settings and recipes, and units that no rule lets through."""

    blame = Blame.REFUSAL


class ConfigError(RecipeError):
    code = "R301"
    headline = "BAD CONFIG"
    remedy = "Correct the file at the line named, then run `station recipe check`."
    blame = Blame.STATION


class UsageError(RecipeError):
    code = "R309"
    headline = "BAD COMMAND"
    remedy = "Correct the command; `--help` behind it explains what it takes."
    blame = Blame.STATION


class NoRecipe(RecipeError):
    code = "R302"
    headline = "NO RECIPE"
    remedy = "Take the module out, or let the line engineer add a recipe for it."


class AmbiguousRecipe(RecipeError):
    code = "R303"
    headline = "TWO RECIPES"
    remedy = "Let the line engineer narrow the recipes: more than one matches this module."


class LabelMismatch(RecipeError):
    code = "R304"
    headline = "WRONG LABEL"
    remedy = "Check the label: it names another variant than the module itself reports."


class WrongVariant(RecipeError):
    code = "R305"
    headline = "WRONG VARIANT"
    remedy = "Do not flash: the package is for another hardware variant. Choose the right recipe."


class FromVersionRefused(RecipeError):
    code = "R306"
    headline = "OTHER START"
    remedy = "Run the recipe named in the cause first; this one does not start from that version."


class DowngradeRefused(RecipeError):
    code = "R307"
    headline = "NEWER INSIDE"
    remedy = "Leave it as it is, or let the line engineer allow the downgrade in the recipe."


class VersionUnknown(RecipeError):
    code = "R308"
    headline = "VERSION?"
    remedy = "Put the module aside for the line engineer: its version cannot be compared."


# --- F4xx: firmware packages and plans --------------------------------------------------------


class PackageError(StationError):
    """The package on disk, or the plan made from it."""

    blame = Blame.REFUSAL


class PackageMissing(PackageError):
    code = "F401"
    headline = "NO PACKAGE"
    remedy = "Check the path in the recipe, or add the package with `station package add`."


class PackageIncomplete(PackageError):
    code = "F402"
    headline = "BAD PACKAGE"
    remedy = "Fetch the package again from its source: the files named are missing or damaged."


class PackageHostile(PackageError):
    code = "F403"
    headline = "BAD PACKAGE"
    remedy = "Do not use this package: ask its source for a clean copy."


class FactoryPackage(PackageError):
    code = "F404"
    headline = "FACTORY FILES"
    remedy = "Use the update package: a factory package overwrites the calibration."


class RawprogramInvalid(PackageError):
    code = "F405"
    headline = "BAD PACKAGE"
    remedy = "Fetch the package again, or give it to the line engineer: its plan file is wrong."


class PlanRefused(PackageError):
    code = "F406"
    headline = "UNSAFE PLAN"
    remedy = "Do not use this package: its plan breaks a rule that protects the module."


class VendorLineRefused(PackageError):
    code = "F407"
    headline = "VENDOR LINE"
    remedy = "Let the line engineer read the line and set allow_vendor_lines in the recipe."


class PackageDigestMismatch(PackageError):
    code = "F408"
    headline = "OTHER PACKAGE"
    remedy = "Check package and sha256 in the recipe: the bytes are not those it names."


class NoReadback(PackageError):
    code = "F410"
    headline = "NO READ-BACK"
    remedy = "Let the line engineer set `verify: version`, or use a programmer that can read."


class FileChanged(PackageError):
    code = "F409"
    headline = "FILE CHANGED"
    remedy = "Check the disk, then add the package again with `station package add`."
    blame = Blame.STATION


# --- S5xx: the station's own house ------------------------------------------------------------


class StoreError(StationError):
    """Database, disk, locks."""

    blame = Blame.STATION


class DatabaseError(StoreError):
    code = "S501"
    headline = "NOT SAVED"
    remedy = "Leave the module in its slot; check the disk and the database, then run it again."


class SchemaOutdated(StoreError):
    code = "S502"
    headline = "OLD DATABASE"
    remedy = "Run `station db upgrade`."


class SchemaTooNew(StoreError):
    code = "S503"
    headline = "NEW DATABASE"
    remedy = "Install the station software that wrote this database; older software must not."


class StationOverdue(StoreError):
    code = "S506"
    headline = "STATION SLOW"
    remedy = "Check disk and load of the station, then run the module again."


class NoDatabase(DatabaseError):
    code = "S507"
    headline = "NO DATABASE"
    remedy = "Check the database in the settings, or create it with `station db upgrade`."


class EngineRunning(StoreError):
    code = "S504"
    headline = "IN USE"
    remedy = "Stop the other station process that owns these slots or this database."


class DiskTrouble(StoreError):
    code = "S505"
    headline = "DISK"
    remedy = "Free space on the disk, or check that it can be written, then try again."


# --- X9xx -------------------------------------------------------------------------------------


class Bug(StationError):
    code = "X901"
    headline = "STATION BUG"
    remedy = "Keep the module in its slot and send the log of this attempt to the developers."
    blame = Blame.STATION


class Aborted(StationError):
    code = "X902"
    headline = "ABORTED"
    remedy = "Run the module again."
    blame = Blame.PERSON


class Interrupted(StationError):
    code = "X903"
    headline = "CUT SHORT"
    remedy = "Run the module again: the station stopped in the middle, its state is not known."
    blame = Blame.NOBODY


def page() -> str:
    """The table of all codes as Markdown: `deploy/errors.md`."""
    words = {
        Blame.UNIT: "FAIL",
        Blame.REFUSAL: "BLOCKED",
        Blame.STATION: "ERROR",
        Blame.PERSON: "ABORTED",
        Blame.NOBODY: "INTERRUPTED",
    }
    rows = [
        f"| {error.code} | {error.headline} | {words[error.blame]} | {error.remedy} |"
        for error in all_errors()
    ]
    head = [
        "# What the station says and what to do",
        "",
        "FAIL is about the module, BLOCKED was refused before the first write, ERROR is the",
        "station itself, ABORTED was a person, INTERRUPTED is what the next start found open.",
        "A refusal after the first write counts as FAIL.",
        "",
        "| code | screen | verdict | what to do |",
        "|---|---|---|---|",
    ]
    return "\n".join([*head, *rows]) + "\n"
