"""`station audit export` and `check-bundle`: answers that prove themselves elsewhere."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path

from station import __version__
from station.bundle.checking import Checked, check_bundle
from station.bundle.manifest import FORMAT, File, Head, Manifest, SignedUpTo
from station.bundle.manifest import Question as Asked
from station.bundle.writing import Told, write_bundle
from station.commands.audit import Question, require_station
from station.commands.audit_ask import require_flash
from station.commands.audit_names import names_in, words_of_never_had
from station.commands.audit_seal import named_keys, require_untouched
from station.commands.exits import Exit, complain, say, show
from station.config import Settings
from station.errors import BadBundle, UsageError
from station.model import AttemptRecord
from station.seal.keys import load_key
from station.store.export import Export, exporting
from station.store.writer import now_utc_us
from station.wire import ATTEMPT_COLUMNS, attempt_line, attempt_row

_VERIFIED = (
    "each row of the record had been held against its chain, and that against what was signed"
)
_NOT_VERIFIED = "nobody had looked whether the rows were as they were written (--quick)"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def export(
    settings: Settings,
    question: Question,
    out: Path,
    *,
    is_recall: bool = False,
    quick: bool = False,
) -> None:
    """Write the answer into a new file, signed by the station, from a record that was held against
    its chain; `quick`: or was not, and the file says so. `is_recall`: of these attempts those of
    the recall list. Raises UsageError, NoSigningKey, NoCheckpoint, RecordChanged, DiskTrouble, and
    as any question to the record."""
    if is_recall:
        require_flash(question.package, question.firmware)
    if os.path.lexists(out):  # a path that cannot be one is told when it is written
        raise UsageError(f"{out} is there already, and no file is replaced")
    require_station(settings, question.shift, question.station)
    key = load_key(settings.key)
    wanted = {name: value for name, value in asdict(question).items() if value is not None}
    wanted |= {"recall": True} if is_recall else {}
    asked = {n: value.value if isinstance(value, Enum) else value for n, value in wanted.items()}
    with exporting(settings.database, **wanted) as found:
        if not quick:
            say("looking whether each row is as it was written, first; --quick leaves that out")
            require_untouched(settings, found.verify)

        def about(attempts: int, still_open: int, files: tuple[File, File]) -> Manifest:
            return _manifest(settings, asked, found, not quick, attempts, still_open, files)

        made = write_bundle(out, ATTEMPT_COLUMNS, _told(found.attempts), about, key)
    summary = f"{out}: {made.attempts} attempts, {made.question.words}"
    show("\n".join([summary, *words_of_never_had(settings, **names_in(question))]))
    say(f"signed with {key.public}; elsewhere: station audit check-bundle {out.name}")


def check(path: Path, public_keys: tuple[str, ...]) -> Exit:
    """Say whether the bundle is what was signed; needs no settings and no record."""
    keys = named_keys(public_keys)
    try:
        found = check_bundle(path, keys)
    except BadBundle as error:
        complain(error)
        return Exit.VERDICT
    show("\n".join(_good(path, found)))
    if not keys:
        say("whose key that is, nobody has said: name the station's with --public-key")
    return Exit.GOOD


def _told(attempts: Iterator[AttemptRecord]) -> Iterator[Told]:
    for record in attempts:
        yield Told(attempt_line(record), attempt_row(record), record.closed is None)


def _manifest(
    settings: Settings,
    asked: dict[str, str | int],
    found: Export,
    verified: bool,
    attempts: int,
    still_open: int,
    files: tuple[File, File],
) -> Manifest:
    return Manifest(
        format=FORMAT,
        station=settings.station.name,
        site=settings.station.site,
        utc_us=now_utc_us(),
        software_version=__version__,
        schema_revision=found.schema_revision,
        verified=verified,
        question=Asked(words=words_of(asked), asked=dict(asked)),
        attempts=attempts,
        open=still_open,
        files=files,
        heads=tuple(Head(station=name, seq=seq, hash=hash_) for name, seq, hash_ in found.heads),
        checkpoints=tuple(SignedUpTo(**asdict(signed)) for signed in found.checkpoints),
    )


def words_of(asked: Mapping[str, str | int]) -> str:
    """The question as people ask it: `imei 8642…, since 2026-11-20T00:00:00Z`."""
    told = []
    for name, value in asked.items():
        if name.endswith("_utc_us"):
            told.append(f"{name.removesuffix('_utc_us')} {_utc(int(value))}")
        elif value is True:
            told.append(name)
        else:
            told.append(f"{name} {value}")
    return ", ".join(told) or "everything"


def _utc(utc_us: int) -> str:
    moment = _EPOCH + timedelta(microseconds=utc_us)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _good(path: Path, found: Checked) -> list[str]:
    told = found.manifest
    return [
        f"{path}: {told.attempts} attempts ({told.open} open), all as they were signed",
        f"question: {told.question.words}",
        f"answered {_utc(told.utc_us)} by {told.station}, {told.site}; "
        f"software {told.software_version}, schema {told.schema_revision}",
        _VERIFIED if told.verified else _NOT_VERIFIED,
        f"signed with {found.public_key}",
        *(f"{h.station}: the record went to link {h.seq}, {h.hash}" for h in told.heads),
        *(f"{c.station}: signed up to link {c.seq}, {c.hash}" for c in told.checkpoints),
    ]
