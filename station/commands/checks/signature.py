"""Can the record be told from one that was made anew: is it signed, and is that seen elsewhere?"""

from collections.abc import Iterator

from station.commands.checks.finding import Finding, bad, ok, warn
from station.commands.checks.ground import Ground
from station.config import Settings
from station.errors import NoSigningKey, StationError
from station.seal.keys import find_key
from station.store.signing import was_signed


def signature(ground: Ground) -> Iterator[Finding]:
    """The key, and the file that checkpoints are added to."""
    settings = ground.settings
    try:
        key = find_key(settings.key)
    except NoSigningKey as error:
        yield bad("the record cannot be signed", settings.key, why=error.cause, remedy=error.remedy)
        return
    if key is None:
        yield warn(
            "the record is not signed",
            settings.key,
            why="whoever has its file can make it anew, unseen",
            remedy="Make a key: `station audit key`, as the user of the engine.",
        )
        return
    yield ok("the record is signed", settings.key)
    yield _published(settings)


def _published(settings: Settings) -> Finding:
    to = settings.publish
    if to is None:
        return warn(
            "what is signed is kept nowhere else",
            settings.path,
            why="whoever has disk and key can make the record anew, unseen",
            remedy="Name a file on another machine: `audit: {publish: FILE}`.",
        )
    if not to.parent.is_dir():
        return bad(
            "what is signed cannot be published",
            to,
            why="its folder is not there",
            remedy="Mount it, or name another file in `audit: publish`.",
        )
    if not to.exists() and _was_signed(settings):
        return bad(
            "what is signed cannot be published",
            to,
            why="it is not there, and the record was signed before",
            remedy="Mount its folder; only to begin a new file, `touch` it.",
        )
    return ok("what is signed is published", to)


def _was_signed(settings: Settings) -> bool:
    """A record that cannot be read is told by another check."""
    try:
        return was_signed(settings.database, settings.station.name)
    except StationError:
        return False
