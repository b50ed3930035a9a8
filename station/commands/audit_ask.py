"""What `station audit` answers besides attempts: recall lists, codes by frequency, yield, clashes.

The keys of JSON and CSV are the fields of what the store answers; `station.store.yields` defines
the numbers.
"""

from collections.abc import Callable, Mapping

from station.commands.answers import Form, Shape, answer
from station.commands.audit import check_words, require_station
from station.commands.audit_names import names_in, or_why_none, tell_never_had
from station.commands.reporter import moment
from station.commands.span import Span
from station.config import Settings
from station.errors import UsageError
from station.store import questions, recall
from station.store.clashes import ClashFound, find_clashes
from station.store.questions import Cause
from station.store.recall import Flashed
from station.store.scope import Scope
from station.store.yields import By, Rate, Yield, yields
from station.wire import rfc3339

Facts = Mapping[str, object]


# --- recall, ever -----------------------------------------------------------------------------


def tell_recall(
    settings: Settings,
    *,
    package: str | None,
    firmware: str | None,
    station: str | None,
    form: Form,
) -> None:
    """Units whose latest good flash is this, and was made there. Raises UsageError."""
    require_flash(package, firmware)
    check_words({"station": station})
    asked = {"package": package, "firmware": firmware, "station": station}
    tell_never_had(settings, **asked)
    answer(recall.recall(settings.database, **asked), _RECALL, form)


def tell_ever(
    settings: Settings,
    *,
    package: str | None,
    firmware: str | None,
    station: str | None,
    form: Form,
) -> None:
    """Units that ever had a good flash with this, made there. Raises UsageError."""
    require_flash(package, firmware)
    check_words({"station": station})
    asked = {"package": package, "firmware": firmware, "station": station}
    tell_never_had(settings, **asked)
    answer(recall.ever(settings.database, **asked), _EVER, form)


def require_flash(package: str | None, firmware: str | None) -> None:
    """Raises UsageError."""
    check_words({"package": package, "firmware": firmware})
    if package is None and firmware is None:
        raise UsageError("ask for something: --package, --firmware")


def _flashed(one: Flashed) -> Facts:
    return {
        "unit_id": one.unit_id,
        "imei": one.imei,
        "serial": one.serial,
        "chip_serial": one.chip_serial,
        "attempt_id": one.attempt_id,
        "ended_utc": rfc3339(one.ended_utc_us),
        "station": one.station,
        "slot": one.slot,
        "operator": one.operator,
        "lot": one.lot,
        "outcome": one.outcome.value,
        "package": one.package,
        "package_sha256": one.package_sha256,
        "firmware": one.firmware,
        "is_latest": one.is_latest,
    }


_FLASHED_KEYS = (
    *("unit_id", "imei", "serial", "chip_serial", "attempt_id", "ended_utc", "station", "slot"),
    *("operator", "lot", "outcome", "package", "package_sha256", "firmware", "is_latest"),
)
_RECALL: Shape[Flashed] = Shape(
    _FLASHED_KEYS,
    _flashed,
    {
        "IMEI": lambda one: one.imei or "-",
        "serial": lambda one: one.serial or "-",
        "chip": lambda one: one.chip_serial or "-",
        "flashed (UTC)": lambda one: moment(one.ended_utc_us),
        "station": lambda one: one.station,
        "slot": lambda one: one.slot,
        "verdict": lambda one: one.outcome.value,
        "package": lambda one: f"{one.package or '-'} {(one.package_sha256 or '')[:8]}".strip(),
        "firmware": lambda one: one.firmware or "-",
    },
)
_EVER: Shape[Flashed] = Shape(
    _FLASHED_KEYS,
    _flashed,
    {**_RECALL.columns, "still latest good": lambda one: "yes" if one.is_latest else "no"},
)


# --- pareto -----------------------------------------------------------------------------------


def tell_pareto(settings: Settings, scope: Scope, form: Form) -> None:
    """Failure codes, the most frequent first."""
    require_station(settings, scope.shift, scope.station)
    tell_never_had(settings, **names_in(scope))
    answer(questions.pareto(settings.database, scope), _PARETO, form)


def _cause(one: Cause) -> Facts:
    return {name: getattr(one, name) for name in _CAUSE_KEYS} | {"outcome": one.outcome.value}


_CAUSE_KEYS = ("code", "headline", "outcome", "attempts", "units", "of_attempts")
_PARETO: Shape[Cause] = Shape(
    _CAUSE_KEYS,
    _cause,
    {
        "code": lambda one: one.code,
        "headline": lambda one: one.headline,
        "outcome": lambda one: one.outcome.value,
        "attempts": lambda one: str(one.attempts),
        "share": lambda one: str(one.share),
        "units": lambda one: str(one.units),
    },
)


# --- yield ------------------------------------------------------------------------------------


def tell_yield(settings: Settings, scope: Scope, by: By, form: Form) -> None:
    """Yield and loss, a row a group."""
    require_station(settings, scope.shift, scope.station)
    tell_never_had(settings, **names_in(scope))
    shape: Shape[Yield] = Shape(_YIELD_KEYS, lambda one: _yield(one, by), _yield_columns(by))
    answer(yields(settings.database, scope, by), shape, form)


_COUNTED = (
    *("units", "judged", "first", "first_pass", "final_good", "no_change", "blocked", "aborted"),
    *("station_loss", "unnamed", "off_line"),
)
_YIELD_KEYS = ("by", "group", "shift_started_utc", "shift_operator", *_COUNTED)


def _yield(one: Yield, by: By) -> Facts:
    return {
        "by": by.value,
        "group": one.group,
        "shift_started_utc": one.shift and rfc3339(one.shift.utc_us),
        "shift_operator": one.shift and one.shift.operator,
        **{name: getattr(one, name) for name in _COUNTED},
    }


def _yield_columns(by: By) -> Mapping[str, Callable[[Yield], str]]:
    title = {By.ALL: "", By.DAY: "day (UTC)"}.get(by, by.value)
    return {
        title: _group,
        "first-pass yield": lambda one: _rate(one.first_pass_yield),
        "final yield": lambda one: _rate(one.final_yield),
        "retest rate": lambda one: _rate(one.retest_rate),
        "station loss": lambda one: str(one.station_loss),
        "blocked": lambda one: str(one.blocked),
        "aborted": lambda one: str(one.aborted),
        "no change": lambda one: str(one.no_change),
        "unnamed": lambda one: str(one.unnamed),
        "golden": lambda one: str(one.off_line),
    }


def _group(one: Yield) -> str:
    if one.shift is None:
        return one.group or "-"
    return f"{moment(one.shift.utc_us)} {one.shift.operator}\n{one.group}"


def _rate(rate: Rate) -> str:
    return f"{rate} ({rate.part}/{rate.whole})" if rate.whole else str(rate)


# --- clashes ----------------------------------------------------------------------------------


def tell_clashes(settings: Settings, *, span: Span, station: str | None, form: Form) -> None:
    """Names that cannot be right or that two units go by, oldest first. Raises UsageError."""
    check_words({"station": station})
    found = find_clashes(settings.database, station=station, **span._asdict())
    answer(or_why_none(found, settings, station=station), _CLASHES, form)


def _clash(one: ClashFound) -> Facts:
    plain = {name: getattr(one, name) for name in _CLASH_KEYS if hasattr(one, name)}
    return {
        **plain,
        "utc": rfc3339(one.utc_us),
        "names": "; ".join(one.names),
        "other_names": "; ".join(one.other_names),
    }


_CLASH_KEYS = (
    *("clash_id", "utc", "station", "slot", "attempt_id", "kind", "value"),
    *("unit_id", "names", "other_unit_id", "other_names"),
)
_CLASHES: Shape[ClashFound] = Shape(
    _CLASH_KEYS,
    lambda one: {key: _clash(one)[key] for key in _CLASH_KEYS},
    {
        "when (UTC)": lambda one: moment(one.utc_us),
        "station": lambda one: one.station,
        "slot": lambda one: one.slot,
        "clash": lambda one: f"{one.kind} {one.value}",
        "unit": lambda one: "\n".join(one.names) or "-",
        "other unit": lambda one: "\n".join(one.other_names) or "-",
        "attempt": lambda one: one.attempt_id,
    },
)
