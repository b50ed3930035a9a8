"""Is a backup one of this station? What trusted keys have signed, in it and elsewhere, against its
chain. Its rows are for `verify` to look at, which found that the chain is theirs.

A chain without a signature is anybody's: whoever has the software makes one that fits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from station.errors import NotRestored
from station.model import RESTORED
from station.seal.checkpoint import Checkpoint
from station.store.links import Links
from station.store.reading import reading
from station.store.signing import checkpoints, restored_since

SignedTo = Mapping[str, int]
"""Station -> up to which link a trusted key has signed its chain, for those of which it has."""


@dataclass(frozen=True, slots=True)
class Proof:
    """`trusted`: public keys; without any, nothing is proved, and nothing refused. `outside`:
    checkpoints that were kept elsewhere. `unsigned`: what nobody has signed is taken, too."""

    trusted: frozenset[str]
    outside: Sequence[Checkpoint] = ()
    unsigned: bool = False


def require_own(url: str, proof: Proof) -> SignedTo:
    """Raises NotRestored with the first thing that is not this station's, and as `reading`."""
    if not proof.trusted:
        return {}
    with reading(url) as connection:
        links = Links(connection)
        signed = _signed_within(connection, proof.trusted)
        if not proof.unsigned:
            _require_signed(links, signed)
        _hold(connection, links, signed, proof)
    return signed


def _signed_within(connection: sa.Connection, trusted: frozenset[str]) -> SignedTo:
    signed: dict[str, int] = {}
    for one in checkpoints(connection):
        if one.public_key not in trusted:
            raise NotRestored(
                f"link {one.seq} of {one.station} in it was signed with {one.public_key}, which is "
                "not trusted; if it is an earlier key, or that of the machine before this one, "
                "name it in the settings: `audit: {trusted: […]}`"
            )
        signed[one.station] = max(one.seq, signed.get(one.station, 0))
    return signed


def _require_signed(links: Links, signed: SignedTo) -> None:
    for station in sorted(links.heads.keys() - signed.keys()):
        raise NotRestored(
            f"no trusted key has signed anything of {station} in it, so it may be anybody's; if it "
            "is from before there was a key, --unsigned takes it"
        )


def _hold(connection: sa.Connection, links: Links, signed: SignedTo, proof: Proof) -> None:
    """What was signed further on than the backup goes is no matter: it is older."""
    held = [one for one in proof.outside if _counts(one, links, proof)]
    restores = [one for one in held if one.reason == RESTORED]
    for one in held:
        if _has(links, one) or restored_since(connection, one):
            continue
        began = _begun_by(one, restores)
        is_undone = began is not None and not _has(links, began)
        if began and is_undone and (proof.unsigned or began.seq <= signed.get(one.station, 0)):
            continue
        hint = "; if it is from before a restore, --unsigned takes it" if is_undone else ""
        raise NotRestored(
            f"link {one.seq} of {one.station} in it is not the one that was signed: a checkpoint "
            f"that is kept elsewhere says so{hint}"
        )


def _counts(one: Checkpoint, links: Links, proof: Proof) -> bool:
    head = links.heads.get(one.station)
    is_within = head is not None and one.seq <= head.links
    return is_within and one.public_key in proof.trusted and one.is_genuine()


def _has(links: Links, one: Checkpoint) -> bool:
    link = links.get(one.station, one.seq)
    return link is not None and link.hash.hex() == one.hash


def _begun_by(one: Checkpoint, restores: Sequence[Checkpoint]) -> Checkpoint | None:
    """What was signed when the last restore began the history that this one is of. Where the backup
    has another link there, it is of the history before, and puts it back. That it went on so must
    have been signed as well, else anybody could have gone on."""
    earlier = [
        restore
        for restore in restores
        if restore.station == one.station and restore.utc_us <= one.utc_us
    ]
    return max(earlier, key=lambda restore: restore.utc_us, default=None)
