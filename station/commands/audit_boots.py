"""`station audit boots`: each start of an engine, with what it ran and where its slots were."""

from collections.abc import Mapping, Sequence

from station.commands.answers import Form, Shape, answer
from station.commands.audit import check_words
from station.commands.audit_names import or_why_none
from station.commands.reporter import moment
from station.commands.span import Span
from station.config import Settings
from station.store.boots import Boot, find_boots
from station.wire import rfc3339


def tell_boots(settings: Settings, *, span: Span, station: str | None, form: Form) -> None:
    """Print the starts that meet every condition, oldest first. Raises UsageError."""
    check_words({"station": station})
    found = find_boots(settings.database, station=station, **span._asdict())
    answer(or_why_none(found, settings, station=station), _BOOTS, form)


def _facts(boot: Boot) -> Mapping[str, object]:
    facts = {key: getattr(boot, key) for key in _KEYS if key != "utc"}
    return {key: facts.get(key, rfc3339(boot.utc_us)) for key in _KEYS}


_KEYS = (
    *("boot_id", "station", "utc", "software_version", "lock_sha256", "python", "kernel"),
    *("libusb", "slot_map"),
)
_BOOTS: Shape[Boot] = Shape(
    _KEYS,
    _facts,
    {
        "started (UTC)": lambda one: moment(one.utc_us),
        "station": lambda one: one.station,
        "software": lambda one: one.software_version,
        "libraries": lambda one: (one.lock_sha256 or "-")[:8],
        "Python": lambda one: one.python,
        "kernel": lambda one: one.kernel,
        "libusb": lambda one: one.libusb or "-",
        "slots": lambda one: "\n".join(_slot(name, at) for name, at in one.slot_map.items()),
        "boot": lambda one: one.boot_id,
    },
)


def _slot(name: str, at: Mapping[str, str | Sequence[str]]) -> str:
    """`A1 1-1.2 2-1.2`, and why its place is in doubt."""
    return " ".join([name, *at["ports"], str(at.get("barred", ""))]).rstrip()
