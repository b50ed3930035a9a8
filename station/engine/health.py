"""The station's own house while it runs: can it record, is there room, are the ports watched?"""

import shutil
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import trio

from station.disk import Disk
from station.engine.backlog import Backlog
from station.engine.notary import Notary
from station.engine.ports import PortBoard
from station.engine.wall_clock import WallClock
from station.errors import (
    ClockJumped,
    DatabaseError,
    DiskTrouble,
    EvidenceNotKept,
    NoDescriptors,
    NotPublished,
    PortsUnwatched,
    RecordChanged,
    RecordDamaged,
    ResultFileStays,
    ResultSetAside,
    ResultsWaiting,
    StationError,
)
from station.model import AttemptRecord, StationEvent
from station.patience import real_s
from station.store.database import SAVE_S
from station.store.writer import Store
from station.transport import descriptors

LOOK_S = 2.0
PING_S = 5.0
"""A disk must tell its room within this time."""

STALE_S = 15.0
"""Ports not scanned, or house not looked at, for so long: something hangs."""

_ALARMS_ONLY = frozenset(
    {
        ResultSetAside,
        ResultFileStays,
        EvidenceNotKept,
        ClockJumped,
        NotPublished,
        RecordChanged,
    }
)
"""Troubles that a person must know and that keep no module from being started."""

SPARE_FILES = 64
"""A tray that is flashed opens files of its own, and screens come."""

RESERVE_BYTES = 512 << 20
"""Results need room even when everything else has filled the disk."""


@dataclass(slots=True)
class Health:
    """`folders` hold the database and the packages, `evidence` is made when it is first written
    to. `report` has every kind of trouble looked for,
    None where there is none."""

    store: Store
    board: PortBoard
    folders: tuple[Path, ...]
    backlog: Backlog
    clock: WallClock
    signer: Notary
    evidence: Path
    report: dict[type[StationError], str | None] = field(default_factory=dict)
    looked_s: float = field(default_factory=trio.current_time)
    answered_s: float = field(default_factory=trio.current_time)
    """When the writer of the database last answered."""
    _disks: Disk = field(default_factory=Disk)
    _evidence: Disk = field(default_factory=Disk)

    @property
    def obstacle(self) -> StationError | None:
        """What keeps modules from being started."""
        for kind, cause in self.report.items():
            if cause is not None and kind not in _ALARMS_ONLY:
                return kind(cause)
        return None

    @property
    def is_alive(self) -> bool:
        """The nursery runs, the ports are watched and the writer of the database answers, were it
        only to complain: a full disk is an alarm, not a reason to be shot in mid-flash."""
        return self.is_awake and trio.current_time() - self.answered_s < STALE_S

    @property
    def is_awake(self) -> bool:
        """The nursery runs and the ports are watched, whatever the database does."""
        return trio.current_time() - min(self.looked_s, self.board.watched_s) < STALE_S

    async def look(self) -> tuple[AttemptRecord, ...]:
        """Once; what waited and is on record now. Never raises a StationError."""
        self.report[DatabaseError] = await self._database()
        self.report[RecordDamaged] = self.store.damaged
        recorded = await self.backlog.catch_up()
        self.report[ResultsWaiting] = self.backlog.trouble
        self.report[ResultSetAside] = self.backlog.aside
        self.report[ResultFileStays] = self.backlog.left_over
        self.report[DiskTrouble] = await self._disk()
        is_told = self.report[DiskTrouble] is not None  # it may be the same disk
        self.report[EvidenceNotKept] = None if is_told else await self._evidence_disk()
        self.note_jump(self.clock.look())
        self.report[NoDescriptors] = _descriptors()
        self.report[PortsUnwatched] = self._ports()
        self.report[NotPublished] = self.signer.trouble
        self.report[RecordChanged] = self.signer.changed
        self.looked_s = trio.current_time()
        return recorded

    def note_jump(self, jump_us: int | None) -> None:
        """The wall clock was set by so much."""
        if jump_us is not None:
            self.backlog.due.append(self.backlog.world.event("clock", {"jump_us": jump_us}))
        self.report[ClockJumped] = self.clock.trouble

    def news(self) -> list[StationEvent]:
        """Events that are not on record yet; given out once."""
        due, self.backlog.due = self.backlog.due, []
        return due

    async def _database(self) -> str | None:
        try:
            with trio.fail_after(real_s(SAVE_S)):
                await self.store.ping()
        except StationError as error:
            self.answered_s = trio.current_time()
            return error.cause
        except trio.TooSlowError:
            return f"the database did not answer within {SAVE_S:g} s"
        self.answered_s = trio.current_time()
        return None

    async def _disk(self) -> str | None:
        """A disk that is gone may never answer; whoever still waits for it keeps the next one from
        waiting, too."""
        try:
            return await self._disks.ask(partial(_room, self.folders), PING_S)
        except trio.TooSlowError:
            return f"the disks did not answer within {PING_S:g} s"

    async def _evidence_disk(self) -> str | None:
        try:
            return await self._evidence.ask(partial(_room_around, self.evidence), PING_S)
        except trio.TooSlowError:
            return f"{self.evidence} did not answer within {PING_S:g} s"

    def _ports(self) -> str | None:
        silent_s = trio.current_time() - self.board.scanned_s
        if silent_s > STALE_S:
            return f"the USB ports could not be looked at for {silent_s:.0f} s"
        return None


def _room(folders: tuple[Path, ...]) -> str | None:
    for folder in folders:
        try:
            free = shutil.disk_usage(folder).free
        except OSError as error:
            return f"{folder}: {error.strerror}"
        if free < RESERVE_BYTES:
            return f"{folder} has {free >> 20} MB left, {RESERVE_BYTES >> 20} are needed"
    return None


def _room_around(folder: Path) -> str | None:
    """In the folder, or where it would be made."""
    try:
        found = next(path for path in (folder, *folder.parents) if path.exists())
    except OSError as error:
        return f"{folder}: {error.strerror}"
    return _room((found,))


def _descriptors() -> str | None:
    left = descriptors.left()
    if left is None or left >= SPARE_FILES:
        return None
    return f"the engine may open {left} more files (or sockets), {SPARE_FILES} are needed"
