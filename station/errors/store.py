"""S5xx: the station's own house: database, disk, locks."""

from station.errors.base import Blame, StationError


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
    remedy = "Check disk and load of the station, then try again."


class NoDatabase(DatabaseError):
    code = "S507"
    headline = "NO DATABASE"
    remedy = "Check the database in the settings, or create it with `station db upgrade`."


class HistoryTrouble(DatabaseError):
    """What only wanted to read meets this; nothing was to be saved."""

    code = "S508"
    headline = "NO HISTORY"
    remedy = "Check the database in the settings and its disk, then ask again; nothing was changed."


class WrittenMeanwhile(DatabaseError):
    """Of who may not write beside the record: SQLite can keep no moment for such a reader."""

    code = "S510"
    headline = "WRITTEN MEANWHILE"
    remedy = "Ask again, and throw away what was answered: a part of it may be missing, or twice."


class NotUpgraded(DatabaseError):
    """No module waits for it."""

    code = "S509"
    headline = "NOT UPGRADED"
    remedy = "Nothing was changed: check the database in the settings, its disk and who may write."


class EngineRunning(StoreError):
    code = "S504"
    headline = "IN USE"
    remedy = "Stop the other station process that owns these slots or this database."


class DiskTrouble(StoreError):
    code = "S505"
    headline = "DISK"
    remedy = "Free space on the disk, or check that it can be written, then try again."


# --- S52x: evidence ---------------------------------------------------------------------------


class EvidenceNotKept(StoreError):
    """Never a verdict: a module is as good without its transcript."""

    code = "S520"
    headline = "NO EVIDENCE KEPT"
    remedy = "Free space or repair the folder `evidence` in the settings; the verdict stands."


class DumpNotKept(StoreError):
    """A verdict, unlike the loss of a transcript: the recipe wants it before the first erase."""

    code = "S523"
    headline = "NO DUMP KEPT"
    remedy = "Free space or repair the folder `evidence` in the settings, then run it again."


class EvidenceMissing(StoreError):
    code = "S521"
    headline = "EVIDENCE MISSING"
    remedy = "Check the folder `evidence` and who may read it, or its backups; the record is whole."


class EvidenceDamaged(StoreError):
    code = "S522"
    headline = "EVIDENCE DAMAGED"
    remedy = "Restore the file from a backup and check the disk; the record is whole."


# --- S53x: the station's own trouble ----------------------------------------------------------


class NotRecorded(StoreError):
    code = "S530"
    headline = "NOT RECORDED"
    remedy = "Leave the module in its slot: the result is kept and recorded as soon as that works."


class ResultsWaiting(StoreError):
    """No module is started meanwhile: its result would have to wait, too."""

    code = "S531"
    headline = "RESULTS WAIT"
    remedy = "Check disk and database of the station; the results are recorded by themselves then."


class ResultSetAside(StoreError):
    code = "S532"
    headline = "RESULT SET ASIDE"
    remedy = "Call the line engineer: flash the unit again, look at the file and move it away."


class ResultFileStays(StoreError):
    code = "S537"
    headline = "RESULT FILE STAYS"
    remedy = "Call the line engineer: the result is on record; repair the folder, delete the file."


class RecordDamaged(DatabaseError):
    code = "S533"
    headline = "RECORD DAMAGED"
    remedy = "Stop the engine, copy the file, restore the latest backup (`station db restore`)."


class ClockJumped(StoreError):
    code = "S534"
    headline = "CLOCK JUMPED"
    remedy = "Check the time of the station (`timedatectl`); times in the record may be wrong."


class NoDescriptors(StoreError):
    code = "S535"
    headline = "TOO MANY FILES"
    remedy = "Close screens nobody looks at; if it stays, restart the engine and tell developers."


class ResultsLost(StoreError):
    code = "S536"
    headline = "RESULTS LOST"
    remedy = (
        "Mend disk and database, then flash the named units again: no record has these results."
    )


# --- S54x: what an auditor relies on ----------------------------------------------------------


class RecordChanged(StoreError):
    code = "S540"
    headline = "RECORD CHANGED"
    remedy = "Touch nothing: copy database and checkpoints for the auditor, then call the engineer."


class NoSigningKey(StoreError):
    code = "S541"
    headline = "NO SIGNING KEY"
    remedy = (
        "Check `audit: key` in the settings; where there is none, `station audit key` makes one."
    )


class NoCheckpoint(StoreError):
    code = "S542"
    headline = "NO CHECKPOINT"
    remedy = "Name a file of checkpoints as the station published it, one to a line."


class NotPublished(StoreError):
    """The record is signed; what is missing is the witness elsewhere."""

    code = "S543"
    headline = "NOT PUBLISHED"
    remedy = (
        "Mount what `audit: publish` names; only to begin a new file there, `touch` it. No module "
        "waits for it."
    )


# --- S55x: copies of the record ---------------------------------------------------------------


class NoBackup(StoreError):
    code = "S550"
    headline = "NO BACKUP"
    remedy = "The record is as it was: mend what the cause names, then ask again."


class NotRestored(StoreError):
    code = "S551"
    headline = "NOT RESTORED"
    remedy = "The database in place is as it was; name a file that `station db backup` made."


class BadBundle(StoreError):
    code = "S552"
    headline = "BAD BUNDLE"
    remedy = "Rely on nothing in it; have the station export it again."
