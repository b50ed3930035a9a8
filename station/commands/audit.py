"""`station audit`: which serial got which firmware.

Reads only; works while an engine runs.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from station.commands.answers import Form, csv_lines, in_parts
from station.commands.audit_names import names_in, tell_never_had
from station.commands.exits import show
from station.commands.reporter import print_history
from station.commands.span import span_of
from station.config import Settings
from station.errors import UsageError
from station.model import AttemptRecord, IdKind, Outcome
from station.store.queries import each_attempt, find_attempts, names_of_units
from station.store.questions import open_attempts
from station.store.schema import words
from station.store.scope import LAST_SHIFT, Scope, is_shift
from station.store.stations import is_shared
from station.wire import ATTEMPT_COLUMNS, attempt_line, attempt_row

MOST_CHARS = 256
"""Of one thing that is asked for: a bundle takes all of them together."""


@dataclass(frozen=True, slots=True)
class Question:
    """All conditions must hold; see `station.store.queries.Wanted`."""

    name: str | None = None
    imei: str | None = None
    serial: str | None = None
    chip: str | None = None
    firmware: str | None = None
    package: str | None = None
    outcome: Outcome | None = None
    code: str | None = None
    since_utc_us: int | None = None
    until_utc_us: int | None = None
    station: str | None = None
    slot: str | None = None
    operator: str | None = None
    lot: str | None = None
    shift: str | None = None


def check(question: Question) -> None:
    """An empty question would be answered with everything: an unset variable in a script.

    Raises UsageError.
    """
    asked = {name: value for name, value in asdict(question).items() if value is not None}
    if not asked:
        raise UsageError("ask for something: --name, --imei, --serial, --chip, --since, …")
    check_words(asked)
    _check_shift(question.shift)


def check_words(asked: Mapping[str, object]) -> None:
    """What is asked for by an option must be words that the record may have. Nothing at all, or
    blanks, is an unset variable and must not read as an empty answer. Raises UsageError."""
    for option, value in asked.items():
        if not isinstance(value, str):
            continue
        if not value.strip():
            raise UsageError(f"--{option} is empty")
        if len(value) > MOST_CHARS:
            raise UsageError(f"--{option} has {len(value)} characters; {MOST_CHARS} are the most")
        if words(value) != value:
            raise UsageError(f"--{option} {value!a} is no UTF-8 text")


def scope_of(
    *,
    since: str | None = None,
    until: str | None = None,
    station: str | None = None,
    slot: str | None = None,
    operator: str | None = None,
    lot: str | None = None,
    shift: str | None = None,
) -> Scope:
    """The arguments of a question about a part of the record. Raises UsageError."""
    where = {"station": station, "slot": slot}
    check_words(where | {"operator": operator, "lot": lot, "shift": shift})
    _check_shift(shift)
    span = span_of(since, until)
    return Scope(
        since_utc_us=span.since_utc_us,
        until_utc_us=span.until_utc_us,
        station=station,
        slot=slot,
        operator=operator,
        lot=lot,
        shift=shift,
    )


def _check_shift(text: str | None) -> None:
    if text is not None and not is_shift(text):
        raise UsageError(
            f"--shift {text[:64]!r} is neither `last` nor the id of a shift, or its first 8 "
            "characters at least, as `station audit yield --by shift` tells it"
        )


def require_station(settings: Settings, shift: str | None, station: str | None) -> None:
    """Each station has a last shift. Raises UsageError where it is not said whose is meant."""
    if shift == LAST_SHIFT and station is None and is_shared(settings.database):
        raise UsageError(
            "--shift last is not clear: more than one station writes this record; say whose with "
            "--station"
        )


def outcome_of(text: str | None) -> Outcome | None:
    """`--outcome`, in whatever case. Raises UsageError."""
    if text is None:
        return None
    try:
        return Outcome(text.upper().replace("-", "_"))
    except ValueError:
        known = ", ".join(outcome.value for outcome in Outcome)
        raise UsageError(f"--outcome {text[:64]!r} is none of {known}") from None


def find(settings: Settings, question: Question, form: Form, limit: int | None = None) -> None:
    """Print the attempts that answer the question, oldest first; with `limit` the newest so many.
    Those of a unit have all its names before them, in a table."""
    require_station(settings, question.shift, question.station)
    conditions = asdict(question)
    tell_never_had(settings, **names_in(question))
    if form is Form.TABLE:
        for unit in _units(settings, question):
            show("unit: " + "  ".join(map(_harmless, unit)))
    with_station = _names_stations(settings, question.station, form)
    if limit is None:
        found: Iterable[AttemptRecord] = each_attempt(settings.database, **conditions)
    else:
        found = find_attempts(settings.database, limit=limit, **conditions)
    tell_attempts(found, form, with_station=with_station)


def _names_stations(settings: Settings, asked: str | None, form: Form) -> bool:
    """Each station that shares a record has an A1, so people are told whose it is."""
    return form is Form.TABLE and asked is None and is_shared(settings.database)


def _harmless(name: str) -> str:
    """A module has had a hand in it: nothing that a terminal would obey."""
    return "".join(char if char.isprintable() else "\ufffd" for char in name)


def _units(settings: Settings, question: Question) -> list[tuple[str, ...]]:
    """The names of the units that are asked for by name."""
    names = {kind.value: getattr(question, kind.value, None) for kind in IdKind}
    return names_of_units(settings.database, question.name, **names)


def tell_attempts(
    found: Iterable[AttemptRecord], form: Form, *, with_station: bool = False
) -> None:
    """All of them, some hundred at a time."""
    if form is Form.CSV:
        show(csv_lines([ATTEMPT_COLUMNS]))
    for some in in_parts(found):
        if form is Form.JSON:
            show("\n".join(map(attempt_line, some)))
        elif form is Form.CSV:
            show(csv_lines(map(attempt_row, some)))
        else:
            print_history(some, with_station=with_station)


def tell_open(settings: Settings, scope: Scope, form: Form) -> None:
    """Attempts without an end, oldest first."""
    tell_never_had(settings, **names_in(scope))
    with_station = _names_stations(settings, scope.station, form)
    tell_attempts(open_attempts(settings.database, scope), form, with_station=with_station)
