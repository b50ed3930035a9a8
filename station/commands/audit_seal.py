"""`station audit key` and `audit verify`: the record signed, and held against what was signed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from station.commands.exits import Exit, complain, say, show
from station.config import Settings
from station.errors import NoSigningKey, RecordChanged, UsageError
from station.seal.keys import find_key, load_key, make_key
from station.seal.published import Published, read_published
from station.store.export import Verify
from station.store.findings import Finding
from station.store.verify import Verified, verify

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Witness:
    """What is held against the record besides itself. `public_keys`: 64 hex digits each."""

    checkpoints: Path | None = None
    public_keys: tuple[str, ...] = ()


def new_key(settings: Settings) -> None:
    """Make the station's key, unless it has one; its public half is printed, for whoever verifies
    elsewhere. Raises NoSigningKey."""
    key = find_key(settings.key)
    if key is None:
        key = make_key(settings.key)
        say(f"{settings.key}: the station signs with this from its next start on; its public key:")
    else:
        say(f"{settings.key}: the station has this key already; its public key:")
    show(key.public)


def check(settings: Settings, witness: Witness) -> Exit:
    """Look at every row; the first that is not as it was written is named. Raises UsageError,
    NoCheckpoint, and what a record that cannot be read raises."""
    outside = _outside(settings, witness)
    trusted = _trusted(settings, witness)
    for strange in outside.strange:
        say(f"passed over: {strange}")
    found = verify(settings.database, outside.checkpoints, trusted)
    if found.is_untouched:
        show("\n".join(_good(found, trusted)))
        return Exit.GOOD
    complain(RecordChanged(_told(found.findings[0])))
    show("\n".join(map(_told, found.findings[:SHOWN])))
    if len(found.findings) > SHOWN:
        show(f"and {len(found.findings) - SHOWN} more")
    return Exit.VERDICT


def require_untouched(settings: Settings, held: Verify) -> None:
    """The same for whoever goes on with a record as it was written only. Raises RecordChanged."""
    outside, trusted = _outside(settings, Witness()), _trusted(settings, Witness())
    found = held(outside.checkpoints, trusted)
    if not found.is_untouched:
        raise RecordChanged(f"{_told(found.findings[0])}; `station audit verify` tells more")


def _outside(settings: Settings, witness: Witness) -> Published:
    """A file that is named must be there: whoever changed the record may have taken it away."""
    named = witness.checkpoints or settings.publish
    return Published(()) if named is None else read_published(named)


def _trusted(settings: Settings, witness: Witness) -> frozenset[str]:
    """Those named; else those of the settings and the station's own, if it can be read here."""
    if witness.public_keys:
        return named_keys(witness.public_keys)
    try:
        return frozenset({load_key(settings.key).public, *settings.audit.trusted})
    except NoSigningKey as error:
        say(f"{error.code} {error.headline}: {error.cause}")
        return frozenset(settings.audit.trusted)


def named_keys(texts: Sequence[str]) -> frozenset[str]:
    """`--public-key`. Raises UsageError."""
    if not all(map(_is_key, texts)):
        raise UsageError("--public-key is not 64 hex digits, as `station audit key` prints it")
    return frozenset(text.lower() for text in texts)


def _is_key(text: str) -> bool:
    try:
        return len(bytes.fromhex(text)) == 32
    except ValueError:
        return False


def _good(found: Verified, trusted: frozenset[str]) -> list[str]:
    lines = [f"{found.rows} rows in {found.links} links: all as they were written"]
    for station, (seq, hash_) in sorted(found.heads.items()):
        signed, seen = found.signed.get(station, 0), found.witnessed.get(station, 0)
        lines.append(
            f"{station}: link {seq}, {hash_[:16]}; signed up to link {signed}, "
            f"kept elsewhere up to link {seen}"
        )
    if not trusted:
        lines.append("no key is known: name one with --public-key, else signatures prove nothing")
    elif not found.witnessed:
        lines.append("no checkpoint was kept elsewhere: who has disk and key could make all anew")
    return lines


def _told(finding: Finding) -> str:
    where = f"{finding.station}, link {finding.seq}: " if finding.seq else ""
    return f"{where}{finding.what}: {finding.why}"
