"""`station audit key` and `audit verify`: the record signed, and held against what was signed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from station.commands.exits import Exit, complain, exit_of, say, show
from station.commands.so_far import said_so_far
from station.config import Settings
from station.errors import NoCheckpoint, NoSigningKey, RecordChanged, UsageError
from station.seal.keys import (
    find_key,
    find_public,
    is_public,
    lay_out_public,
    load_key,
    make_key,
    public_file,
)
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
    """Make the station's key, unless it has one; its public half is laid out beside it, for whoever
    verifies here, and printed, for who does so elsewhere. Raises NoSigningKey."""
    key = find_key(settings.key)
    if key is None:
        key = make_key(settings.key)
        say(f"{settings.key}: the station signs with this from its next start on; its public key:")
    else:
        say(f"{settings.key}: the station has this key already; its public key:")
    try:
        lay_out_public(key, settings.key)
    except NoSigningKey as error:
        say(f"(only here: {error.cause})")
    show(key.public)


def check(settings: Settings, witness: Witness) -> Exit:
    """Look at every row; the first that is not as it was written is named. Good is a record whose
    signatures were held against a key, or one that nobody has signed and has a key for. Raises
    UsageError, NoCheckpoint, and what a record that cannot be read raises."""
    outside = _outside(settings, witness)
    trusted = _trusted(settings, witness)
    for strange in outside.strange:
        say(f"passed over: {strange}")
    found = verify(settings.database, outside.checkpoints, trusted, came=said_so_far())
    if not found.is_untouched:
        complain(RecordChanged(_told(found.findings[0])))
        show("\n".join(map(_told, found.findings[:SHOWN])))
        if len(found.findings) > SHOWN:
            show(f"and {len(found.findings) - SHOWN} more")
        return Exit.VERDICT
    if trusted or not (found.signatures or _has_useless_key(settings)):
        show("\n".join([f"{_rows(found)}: all as they were written", *_reach(found, trusted)]))
        return Exit.GOOD
    show("\n".join([f"{_rows(found)}: all fit their chain", *_reach(found, trusted)]))
    error = NoSigningKey(
        "whoever has the software can make a chain that fits, and no key is known to hold "
        "signatures against; name the station's public one with --public-key"
    )
    complain(error)
    return exit_of(error)


def require_untouched(settings: Settings, held: Verify) -> None:
    """The same for whoever goes on with a record as it was written only. Raises RecordChanged."""
    outside, trusted = _outside(settings, Witness()), _trusted(settings, Witness())
    found = held(outside.checkpoints, trusted, said_so_far())
    if not found.is_untouched:
        raise RecordChanged(f"{_told(found.findings[0])}; `station audit verify` tells more")


def _outside(settings: Settings, witness: Witness) -> Published:
    """A file that is named must be there, and one of checkpoints: whoever changed the record may
    have changed that, too. Only that of the settings may be empty, which begins it."""
    named = witness.checkpoints or settings.publish
    if named is None:
        return Published(())
    found = read_published(named)
    if not found.checkpoints and (witness.checkpoints is not None or found.strange):
        raise NoCheckpoint(f"{named}: there is no checkpoint in it")
    return found


def _trusted(settings: Settings, witness: Witness) -> frozenset[str]:
    """Those named; else those of the settings and the station's own, if it can be read here."""
    if witness.public_keys:
        return named_keys(witness.public_keys)
    return frozenset({*_own(settings.key), *settings.audit.trusted})


def _own(path: Path) -> Iterator[str]:
    """Its public half is enough: the group that may read the record may not read the key."""
    try:
        yield load_key(path).public
    except NoSigningKey as error:
        public = find_public(path)
        if public is None:
            say(f"{error.code} {error.headline}: {error.cause}")
        else:
            say(f"{error.cause}; its public half is taken from {public_file(path)}")
            yield public


def _has_useless_key(settings: Settings) -> bool:
    try:
        find_key(settings.key)
    except NoSigningKey:
        return True
    return False


def named_keys(texts: Sequence[str]) -> frozenset[str]:
    """`--public-key`. Raises UsageError."""
    if not all(map(is_public, texts)):
        raise UsageError("--public-key is not 64 hex digits, as `station audit key` prints it")
    return frozenset(text.lower() for text in texts)


def _rows(found: Verified) -> str:
    return f"{found.rows} rows in {found.links} links"


def _reach(found: Verified, trusted: frozenset[str]) -> Iterator[str]:
    for station, (seq, hash_) in sorted(found.heads.items()):
        signed, seen = found.signed.get(station, 0), found.witnessed.get(station, 0)
        yield (
            f"{station}: link {seq}, {hash_[:16]}; signed up to link {signed}, "
            f"kept elsewhere up to link {seen}"
        )
    if not trusted:
        yield "no key is known: name one with --public-key, else signatures prove nothing"
    elif not found.witnessed:
        yield "no checkpoint was kept elsewhere: who has disk and key could make all anew"


def _told(finding: Finding) -> str:
    where = f"{finding.station}, link {finding.seq}: " if finding.seq else ""
    return f"{where}{finding.what}: {finding.why}"
