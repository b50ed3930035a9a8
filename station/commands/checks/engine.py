"""Is there an engine? For information: everything here is true with or without."""

from collections.abc import Iterator

from station.commands.call import call
from station.commands.checks.finding import Finding, cannot_tell, ok, warn
from station.commands.checks.ground import Ground
from station.errors import NoAccess, NoEngine, OtherProtocol, StationError


def engine(ground: Ground) -> Iterator[Finding]:
    """Whether one answers at the settings' socket."""
    place = ground.settings.socket
    try:
        with call(place) as answered:
            words = f"an engine runs (process {answered.pid}, version {answered.hello.software})"
            yield ok(words, place)
    except NoEngine:
        yield ok("no engine runs", place)
    except NoAccess as error:
        yield cannot_tell(error.cause, place, remedy=error.remedy)
    except OtherProtocol as error:
        yield warn(error.headline, place, why=error.cause, remedy=error.remedy)
    except StationError as error:
        yield warn(error.headline, place, why=error.cause, remedy=error.remedy)
