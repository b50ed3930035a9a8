"""Results that are not in the record: those that wait for it, and those it will never take."""

from collections.abc import Iterator

from station.commands.checks.finding import Finding, bad, cannot_tell, ok, warn
from station.commands.checks.ground import Ground
from station.engine.backlog import results_folder
from station.errors import ResultSetAside, ResultsWaiting
from station.store.pending import Pending, beside


def results(ground: Ground) -> Iterator[Finding]:
    """The folder where an engine leaves them."""
    folder = results_folder(ground.settings) or beside(ground.settings.database)
    if folder is None:
        return
    pending = Pending(folder)
    try:
        waiting, aside = pending.files(), pending.aside()
    except OSError as error:
        words = f"whether results wait ({error.strerror})"
        yield cannot_tell(words, folder, remedy="Run it as root.")
        return
    if waiting:
        yield warn(
            f"results wait to be recorded: {len(waiting)}",
            folder,
            why="the record does not know yet what came of these attempts",
            remedy=f"Start the engine, or wait for it. {ResultsWaiting.remedy}",
        )
    for place in aside:
        yield bad(
            "a result was set aside",
            place,
            why="the record will never know what came of this attempt",
            remedy=ResultSetAside.remedy,
        )
    if not waiting and not aside:
        yield ok("no result waits to be recorded", folder)
