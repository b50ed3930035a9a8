"""`station audit key` and `audit verify`: the record signed, and held against what was signed."""

from dataclasses import dataclass
from pathlib import Path

from station.commands.exits import Exit, complain, say, show
from station.config import Settings
from station.errors import NoSigningKey, RecordChanged, UsageError
from station.seal.checkpoint import Checkpoint
from station.seal.keys import load_key, make_key
from station.seal.published import read_published
from station.store.verify import Finding, Verified, verify

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Witness:
    """What is held against the record besides itself. `public_key`: 64 hex digits."""

    checkpoints: Path | None = None
    public_key: str | None = None


def new_key(settings: Settings) -> None:
    """Make the station's key; its public half is printed, for whoever verifies elsewhere."""
    key = make_key(settings.key)
    say(f"{settings.key}: the station signs with this from its next start on; its public key:")
    show(key.public)


def check(settings: Settings, witness: Witness) -> Exit:
    """Look at every row; the first that is not as it was written is named. Raises UsageError,
    NoCheckpoint, and what a record that cannot be read raises."""
    outside = _outside(settings, witness)
    trusted = _trusted(settings, witness)
    found = verify(settings.database, outside, trusted)
    if found.is_untouched:
        show("\n".join(_good(found, trusted)))
        return Exit.GOOD
    complain(RecordChanged(_told(found.findings[0])))
    show("\n".join(map(_told, found.findings[:SHOWN])))
    if len(found.findings) > SHOWN:
        show(f"and {len(found.findings) - SHOWN} more")
    return Exit.VERDICT


def _outside(settings: Settings, witness: Witness) -> list[Checkpoint]:
    if witness.checkpoints is not None:
        return read_published(witness.checkpoints)
    published = settings.publish
    return read_published(published) if published is not None and published.exists() else []


def _trusted(settings: Settings, witness: Witness) -> frozenset[str]:
    if witness.public_key is not None:
        if not _is_key(witness.public_key):
            raise UsageError("--public-key is not 64 hex digits, as `station audit key` prints it")
        return frozenset({witness.public_key.lower()})
    try:
        return frozenset({load_key(settings.key).public})
    except NoSigningKey:
        return frozenset()


def _is_key(text: str) -> bool:
    try:
        return len(bytes.fromhex(text)) == 32
    except ValueError:
        return False


def _good(found: Verified, trusted: frozenset[str]) -> list[str]:
    lines = [f"{found.rows} rows in {found.links} links: all as they were written"]
    for station, (seq, hash_) in sorted(found.heads.items()):
        signed = found.signed.get(station, 0)
        lines.append(f"{station}: link {seq}, {hash_[:16]}; signed up to link {signed}")
    if not trusted:
        lines.append("no key is known: name one with --public-key, else signatures prove nothing")
    elif not found.signed:
        lines.append("nothing is signed yet: whoever has the file could have made it anew")
    return lines


def _told(finding: Finding) -> str:
    where = f"{finding.station}, link {finding.seq}: " if finding.seq else ""
    return f"{where}{finding.what}: {finding.why}"
