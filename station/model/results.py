"""What is flashed, what came of it, and how an attempt is told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Self

from station.errors import Blame, StationError
from station.model.unit import Identifier, Unit
from station.model.usb import Mode


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
