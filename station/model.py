"""The nouns of the station. Frozen values, no I/O.

Ids are strings that people can read. Times are integers: microseconds since the epoch, UTC.
Durations are integers: microseconds on a monotonic clock. No floats where a record is made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Self, TypeAlias

from station.errors import Blame, StationError
from station.places import Location
from station.places import PortPath as PortPath

# --- slots ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Slot:
    """A named place on the tray and the port paths behind it (USB 2 and USB 3 companions).

    `locations` are ports known by their controller; where they are on this machine now is found
    out at start (`station.transport.locate`), which leaves `ports` only.
    """

    name: str
    ports: frozenset[PortPath]
    recipe: str | None = None
    locations: frozenset[Location] = frozenset()
    barred: StationError | None = None
    """Why nothing is flashed here: its place cannot be trusted. Such a slot has no ports."""


# --- USB devices ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`address` with the direction bit 0x80; `transfer` is the type: 2 bulk, 3 interrupt."""

    address: int
    transfer: int
    max_packet_bytes: int


@dataclass(frozen=True, slots=True)
class Interface:
    number: int
    usb_class: int
    usb_subclass: int
    usb_protocol: int
    endpoints: tuple[Endpoint, ...]

    @property
    def bulk_in(self) -> Endpoint | None:
        return next((e for e in self.endpoints if e.transfer == 2 and e.address & 0x80), None)

    @property
    def bulk_out(self) -> Endpoint | None:
        return next((e for e in self.endpoints if e.transfer == 2 and not e.address & 0x80), None)


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """What enumeration shows without opening the device.

    `generation` differs for each enumeration on a port: a device that left and returned
    between two scans is another device.
    """

    path: PortPath
    vid: int
    pid: int
    interfaces: tuple[Interface, ...]
    generation: int

    @property
    def usb_id(self) -> str:
        return f"{self.vid:04x}:{self.pid:04x}"


BOOT_ROM = (0x05C6, 0x9008)
"""Vendor and product of Qualcomm's boot ROM in emergency download, and of the programmer it runs;
of every family, as config/families.yaml says, too."""


class Mode(Enum):
    """What a module can do for us right now."""

    ABSENT = "absent"
    RUNTIME = "runtime"
    EDL = "edl"
    DLOAD = "dload"
    CRASHED = "crashed"
    FOREIGN = "foreign"
    UNKNOWN = "unknown"


FACTORY_TEST_MODE = 5
"""`AT+CFUN?` of a module that lost its radio data."""


# --- the module -------------------------------------------------------------------------------


class IdKind(Enum):
    """The names a unit goes by. `CHIP` is the chip serial: eight hex digits, lower case."""

    IMEI = "imei"
    SERIAL = "serial"
    CHIP = "chip"
    LABEL = "label"


@dataclass(frozen=True, slots=True)
class Identifier:
    """One name of a unit and where it was read: `at`, `sahara`, `usb`, `operator`, `record`."""

    kind: IdKind
    value: str
    source: str


@dataclass(frozen=True, slots=True)
class Unit:
    """A module as far as it is known; partial is normal."""

    imei: str | None = None
    serial: str | None = None
    model: str | None = None
    sku: str | None = None
    sku_source: str | None = None
    chip_serial: str | None = None
    firmware: str | None = None
    """The full build the module reports, e.g. `EC25EFAR06A06M4G_01.002.01.002`."""
    functionality: int | None = None
    """`AT+CFUN?`: 1 full, 5 factory test mode."""

    @property
    def tac(self) -> str | None:
        """Type allocation code: the first eight digits of the IMEI (3GPP TS 23.003)."""
        return self.imei[:8] if self.imei else None


TEST_IMEIS = frozenset(
    {
        "004999010640000",  # what many modems report without their own
        "012345678901237",
        "123456789012347",
        "490154203237518",  # the example of books and pages
    }
)
"""Numbers that tools and examples write, and that no module has of its own."""


def imei_is_default(imei: str) -> bool:
    """No number of a module's own: all digits the same, or one that is in every book."""
    return imei in TEST_IMEIS or (len(imei) == 15 and len(set(imei)) == 1)


def imei_is_valid(imei: str) -> bool:
    """15 digits, not all zero, the last one the Luhn check digit (3GPP TS 23.003 annex B)."""
    if len(imei) != 15 or not imei.isascii() or not imei.isdigit() or not imei.strip("0"):
        return False
    doubled = (int(d) * (1 + i % 2) for i, d in enumerate(imei))
    return sum(d // 10 + d % 10 for d in doubled) % 10 == 0


# --- people -----------------------------------------------------------------------------------


class Role(Enum):
    """What a person may do: operators and engineers work at the line, engineers also undo what it
    stopped and say who works here; auditors only look."""

    OPERATOR = "operator"
    ENGINEER = "engineer"
    AUDITOR = "auditor"


@dataclass(frozen=True, slots=True)
class Person:
    """Who does something, by name; `role` is None for whom the station does not know."""

    name: str
    role: Role | None = None


@dataclass(frozen=True, slots=True)
class Operator:
    """A person as registered on a station, or retired: the last one of a name counts. `actor`,
    `peer_uid` and `peer_user` say by whom, `reason` why."""

    operator_id: str
    station: str
    utc_us: int
    name: str
    role: Role
    badge_sha256: str | None
    is_active: bool
    actor: str | None
    peer_uid: int | None
    peer_user: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Shift:
    """A person's time at the line; `role` is None for whom the station does not know."""

    shift_id: str
    station: str
    utc_us: int
    operator: str
    role: Role | None = None
    peer_uid: int | None = None
    peer_user: str | None = None


@dataclass(frozen=True, slots=True)
class Lot:
    """What a customer ordered, as it was named when it was armed for the first time."""

    lot_id: str
    station: str
    utc_us: int
    name: str
    operator: str


GOLDEN = "golden"
"""The purpose of an attempt on a golden unit."""


@dataclass(frozen=True, slots=True)
class Under:
    """Under what an attempt is begun, as `AttemptOpened` says it."""

    shift_id: str | None = None
    lot: str | None = None


# --- results ----------------------------------------------------------------------------------


class Outcome(Enum):
    """FAIL is about the unit, BLOCKED was refused before the first write, ERROR is the station."""

    PASS = "PASS"
    NO_CHANGE = "NO_CHANGE"
    FAIL = "FAIL"
    BLOCKED = "BLOCKED"
    ERROR = "ERROR"
    ABORTED = "ABORTED"
    INTERRUPTED = "INTERRUPTED"

    @property
    def is_good(self) -> bool:
        return self in (Outcome.PASS, Outcome.NO_CHANGE)


_OUTCOME_OF = {
    Blame.UNIT: Outcome.FAIL,
    Blame.REFUSAL: Outcome.BLOCKED,
    Blame.STATION: Outcome.ERROR,
    Blame.PERSON: Outcome.ABORTED,
    Blame.NOBODY: Outcome.INTERRUPTED,
}


@dataclass(frozen=True, slots=True)
class Failure:
    """What the screen, the record and the operator are told."""

    code: str
    headline: str
    cause: str
    remedy: str
    retryable: bool
    outcome: Outcome

    @classmethod
    def of(cls, error: StationError) -> Self:
        return cls(
            code=error.code,
            headline=error.headline,
            cause=error.cause,
            remedy=error.remedy,
            retryable=error.retryable,
            outcome=_OUTCOME_OF[error.blame],
        )


class StepOutcome(Enum):
    OK = "OK"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True, slots=True)
class StepRecord:
    """A named part of an attempt, as it ended. `detail` holds facts worth keeping, in words."""

    ordinal: int
    name: str
    outcome: StepOutcome
    duration_us: int
    retries: int = 0
    bytes: int = 0
    detail: Mapping[str, str | int] = field(default_factory=dict)


BACKUP_STEP, DUMP_STEP = "backup", "dump"
"""Taken only where the recipe asks for them."""

LAYOUT_STEP = "partition_table"
LAYOUT_AGREES = "agrees with the package"
"""What a step says of itself, and later attempts rely on; the first erase comes after it."""


AGAIN_STEP = "again"
"""The first step of an attempt that follows a failed one: `follows` is that one's id, `attempt`
says which of how many."""


@dataclass(frozen=True, slots=True)
class ImageSent:
    """One image: `sha256_sent` is over the image's own bytes that left through the pipe."""

    name: str
    sha256_sent: str
    length_bytes: int


@dataclass(frozen=True, slots=True)
class EvidenceRef:
    """A file kept for an attempt, named by the digest of its bytes. `length_bytes` is unpacked."""

    kind: str
    sha256: str
    length_bytes: int
    stored_bytes: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """A whole number of `unit` (`B/s`, `us`, `1` for a count), and the bounds it was held against
    where there are any."""

    name: str
    value: int
    unit: str
    lowest: int | None = None
    highest: int | None = None


class ClashKind(Enum):
    """Why names cannot be right. `IMEI`: a module with another chip serial has this IMEI; `CHIP`: a
    module with another IMEI has this chip serial."""

    IMEI = "imei"
    CHIP = "chip"
    CHECK_DIGIT = "check_digit"
    DEFAULT_IMEI = "default_imei"
    FOREIGN_TAC = "foreign_tac"

    @property
    def is_double(self) -> bool:
        """Two units are in it."""
        return self in (ClashKind.IMEI, ClashKind.CHIP)


@dataclass(frozen=True, slots=True)
class Clash:
    """One name of a unit that cannot be right. `detail`: of a double clash what the other unit is,
    where and when it was seen last."""

    kind: ClashKind
    value: str
    other_unit_id: str | None = None
    detail: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RecipeRef:
    name: str
    revision: int
    sha256: str
    text: str


@dataclass(frozen=True, slots=True)
class FileRef:
    path: str
    sha256: str
    length_bytes: int


@dataclass(frozen=True, slots=True)
class PackageRef:
    """`sha256` is the digest of the package's manifest: every path, length and file digest."""

    name: str
    sha256: str
    files: tuple[FileRef, ...] = ()


class VerifyKind(Enum):
    READBACK = "readback"
    VERSION = "version"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class AttemptOpened:
    """Committed before the first byte that changes the module.

    `boot_id`, `shift_id`, `campaign_id` and `lot` say under what it was begun, as far as there was
    one; `purpose` is None for production, else why it does not count (`golden`).
    """

    attempt_id: str
    station: str
    site: str
    slot: str
    port_path: str | None
    operator: str
    software_version: str
    trigger: str
    started_utc_us: int
    unit: Unit
    identifiers: tuple[Identifier, ...] = ()
    recipe: RecipeRef | None = None
    package: PackageRef | None = None
    plan_sha256: str | None = None
    plan_json: str | None = None
    boot_id: str | None = None
    shift_id: str | None = None
    campaign_id: str | None = None
    lot: str | None = None
    purpose: str | None = None


@dataclass(frozen=True, slots=True)
class AttemptClosed:
    """Committed before any verdict is shown. `readings` are facts read from the module, by name,
    e.g. `firmware.after`, `functionality.after`; families add their own names."""

    attempt_id: str
    outcome: Outcome
    failure: Failure | None
    ended_utc_us: int
    duration_us: int
    verify: VerifyKind
    unit: Unit
    firmware_after: str | None
    final_mode: Mode
    readings: Mapping[str, str] = field(default_factory=dict)
    evidence: tuple[EvidenceRef, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    clashes: tuple[Clash, ...] = ()
    """Written with the verdict, and not read back with it: `station.store.clashes` finds them."""


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """Both halves of an attempt with its steps and images: what `--json` and the audit show."""

    opened: AttemptOpened
    closed: AttemptClosed | None
    steps: tuple[StepRecord, ...]
    images: tuple[ImageSent, ...]

    @property
    def again(self) -> StepRecord | None:
        """What it says of the failed attempt that it follows; None: it follows none."""
        return next((step for step in self.steps[:1] if step.name == AGAIN_STEP), None)

    @property
    def follows(self) -> str | None:
        """The id of that attempt."""
        return None if self.again is None else str(self.again.detail.get("follows"))


# --- the line ---------------------------------------------------------------------------------

Fact: TypeAlias = "str | int | Sequence[Fact] | Mapping[str, Fact] | None"
"""What a record may hold of its own shape: as JSON, without floats."""


@dataclass(frozen=True, slots=True)
class StationEvent:
    """What a person did to the line, or the engine itself: then nobody is named.

    `kind`: started, stopped, armed, disarmed, retry, abort, hold, release, clear, stop;
    of the line's own accord taken_out, breaker_tripped, hub_failure; lifted by an engineer
    slot_lifted, breaker_lifted, hub_lifted; of the station's own trouble clock, result_set_aside;
    without the engine evidence_pruned, restored. `actor` is the person as they said, `role` theirs
    on this station if they are known to it; `peer_uid` and `peer_user` are the user of the socket's
    other end.
    """

    event_id: str
    station: str
    utc_us: int
    kind: str
    actor: str | None = None
    peer_uid: int | None = None
    peer_user: str | None = None
    slot: str | None = None
    detail: Mapping[str, Fact] = field(default_factory=dict)
    role: str | None = None


EVIDENCE_PRUNED = "evidence_pruned"
RESTORED = "restored"
"""Files of attempts that ended before `before_utc_us` were deleted."""


# --- for eyes: live progress, may be dropped, never the source of a record --------------------


@dataclass(frozen=True, slots=True)
class StepStarted:
    slot: str
    step: str


@dataclass(frozen=True, slots=True)
class Progress:
    slot: str
    step: str
    done_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Notice:
    slot: str
    text: str


@dataclass(frozen=True, slots=True)
class PutBack:
    """The module was pulled out of the work and is waited for until `until_s` of the engine's
    monotonic clock; None: it is back, or nobody waits any more."""

    slot: str
    until_s: float | None


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """`again`: the next attempt on the same module begins, e.g. `2 of 2`."""

    slot: str
    record: AttemptRecord
    again: str | None = None


@dataclass(frozen=True, slots=True)
class SlotFailed:
    """The verdict of this slot could not be committed: there is none."""

    slot: str
    failure: Failure


Event = StepStarted | Progress | Notice | PutBack | AttemptEnded | SlotFailed
