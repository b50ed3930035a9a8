"""station.yaml: the name of the station, its slots, and where its data lives."""

import os.path
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from station.config.slot_map import (
    MAX_SLOTS,
    HubMark,
    SlotMap,
    SlotSections,
    load_slot_map,
    shared_ports,
    slots_of,
)
from station.config.strict import Strict, Text, read_model
from station.config.yaml_lines import Document, read_document, refuse
from station.errors import ConfigError
from station.model import Slot

DEFAULT_PLACES = (Path("config/station.yaml"), Path("/etc/station/station.yaml"))


def _database(text: str) -> str:
    if text.startswith("sqlite:///") and not text.startswith("sqlite:////"):
        raise ValueError("this URL is relative to where a command is started; write a plain path")
    return text


Expect = Literal["all", "none"] | int | tuple[str, ...]
"""How many modules a full tray has: all slots, nobody said, a number, or the slots named."""


def _expect(value: object) -> object:
    """One sentence for all forms; pydantic alone complains once for each."""
    if not _can_be_expected(value):
        raise ValueError(
            f"must be all, none, a number of modules from 1 to {MAX_SLOTS}, "
            "or a list of slots such as [A1, A2]"
        )
    return value


def _can_be_expected(value: object) -> bool:
    match value:
        case "all" | "none":
            return True
        case int():
            return 1 <= value <= MAX_SLOTS and value is not True
        case tuple():
            return 1 <= len(value) <= MAX_SLOTS and all(isinstance(name, str) for name in value)
        case _:
            return False


class StationSection(Strict):
    """How the station signs its records."""

    name: Text
    site: Text


class TraySection(Strict):
    """How the slots lie on the fixture, row by row in file order, and what a full tray has."""

    columns: Annotated[int, Field(ge=1, le=16)] | None = None
    expect: Annotated[Expect, BeforeValidator(_expect)] = "all"


class BreakerSection(Strict):
    """The line stops when of its last `window` units, once there are `minimum`, fewer than
    `yield_percent` are good."""

    window: Annotated[int, Field(ge=1, le=1000)] = 20
    minimum: Annotated[int, Field(ge=1, le=1000)] = 10
    yield_percent: Annotated[int, Field(ge=1, le=100)] = 80

    @model_validator(mode="after")
    def _can_be_reached(self) -> Self:
        if self.minimum > self.window:
            raise ValueError(f"minimum {self.minimum} is more than the window of {self.window}")
        return self


class LineSection(Strict):
    """What the running line does by itself about work that was cut off, and when it stops spoiling
    units (null: it never does for this reason).

    `resume`: which modules that an engine left half written are written by the next one: those
    known by their chip serial (certain); in a locked rack those in the same slot, too (same_slot);
    or none. `put_back_s`: a module that was pulled out of the work is waited for so long.
    `attempts`: a module whose failure may pass gets so many in total, one after the other.
    `slot_failures`: so many different units in a row that fail take their slot out of the line.
    `hub_losses`: so many modules of one hub that are lost at once are the hub's failure.
    """

    resume: Literal["certain", "same_slot", "never"] = "certain"
    put_back_s: Annotated[int, Field(ge=0, le=600)] = 30
    attempts: Annotated[int, Field(ge=1, le=5)] = 2
    slot_failures: Annotated[int, Field(ge=2, le=100)] | None = 3
    hub_losses: Annotated[int, Field(ge=2, le=MAX_SLOTS)] = 3
    breaker: BreakerSection | None = BreakerSection()


class AuditSection(Strict):
    """How the station signs its record.

    `key`: the file of its private key; left out, it lies beside the database as `station.key`.
    `publish`: a file that each checkpoint is added to, best on another machine; left out, none.
    `trusted`: public keys that count besides its own: earlier ones, those of other stations.
    `every_links`: the record is signed once it has grown by so many transactions, as well.
    """

    key: Text | None = None
    publish: Text | None = None
    trusted: tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")], ...] = ()
    every_links: Annotated[int, Field(ge=10, le=1_000_000)] = 1000


class GoldenSection(Strict):
    """Units that are known to be good: they try the line, and are in no count.

    `units`: their IMEIs or serial numbers. `at_shift_start`: nothing else is flashed in a shift
    until one of them has passed.
    """

    units: Annotated[tuple[Text, ...], Field(max_length=64)] = ()
    at_shift_start: bool = False

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        if self.at_shift_start and not self.units:
            raise ValueError("at_shift_start needs at least one unit in units")
        return self


class _File(Strict):
    station: StationSection
    database: Annotated[Text, AfterValidator(_database)]
    store: Text
    recipes: Text
    families: Text | None = None
    socket: Text | None = None
    evidence: Text | None = None
    campaigns: Text | None = None
    sheets: Text | None = None
    tray: TraySection = TraySection()
    line: LineSection = LineSection()
    audit: AuditSection = AuditSection()
    golden: GoldenSection = GoldenSection()


class StationFile(_File):
    """The file as written."""

    slots: SlotSections


class StationFileWithMap(_File):
    """The file as written, its slots in another one."""

    slots: Text


@dataclass(frozen=True, slots=True)
class Settings:
    """The file as understood: paths absolute, slots in file order.

    `database` is a SQLAlchemy URL; a path in the file becomes `sqlite:///` and that path.
    `slot_map` is the file that the slots came from, if it is another one; only that names hubs.
    `families` is None for the table that comes with the station. `socket` is where the engine
    listens; left out of the file, it lies beside the settings as `station.sock`. `evidence` is the
    folder for transcripts; left out, it lies beside the database, or beside the store if the
    database is a server's, and so does `sheets`, for what campaigns report in the morning.
    `campaigns` is their folder; left out, it lies beside the settings. `key` and `publish` are the
    files of `audit`.
    """

    path: Path
    station: StationSection
    database: str
    store: Path
    recipes: Path
    slots: tuple[Slot, ...]
    families: Path | None = None
    socket: Path = Path("station.sock")
    evidence: Path = Path("evidence")
    campaigns: Path = Path("campaigns")
    sheets: Path = Path("sheets")
    tray: TraySection = field(default_factory=TraySection)
    line: LineSection = field(default_factory=LineSection)
    audit: AuditSection = field(default_factory=AuditSection)
    golden: GoldenSection = field(default_factory=GoldenSection)
    key: Path = Path("station.key")
    publish: Path | None = None
    hubs: tuple[HubMark, ...] = ()
    slot_map: Path | None = None

    @property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        """The slots' names as they lie on the fixture."""
        names = [slot.name for slot in self.slots]
        columns = self.tray.columns or _columns_for(len(names))
        return tuple(tuple(names[i : i + columns]) for i in range(0, len(names), columns))


def _columns_for(slots: int) -> int:
    """Wide rather than high, as screens are."""
    return 4 if slots <= 8 else 8


def load_settings(path: Path) -> Settings:
    """Read a station.yaml, and the slot map that it names. Relative paths are relative to the
    file. Raises ConfigError."""
    return _load(path, load_slot_map)


def load_settings_to_learn(path: Path) -> Settings:
    """The same where the slot map may not be written yet: then there are no slots."""
    return _load(path, lambda place: load_slot_map(place) if _exists(place) else SlotMap(()))


def _load(path: Path, read_map: Callable[[Path], SlotMap]) -> Settings:
    document = read_document(path)
    base = path.absolute().parent

    def place(text: str) -> Path:
        return Path(os.path.normpath(base / text))

    slot_map: Path | None = None
    if isinstance(document.value, dict) and isinstance(document.value.get("slots"), str):
        elsewhere = read_model(document, StationFileWithMap)
        read: _File = elsewhere
        slot_map = place(elsewhere.slots)
        mapped = read_map(slot_map)
        problems = []
    else:
        here = read_model(document, StationFile)
        read = here
        mapped = SlotMap(slots_of(here.slots))
        problems = shared_ports(document, here.slots)
    if mapped.slots:
        names = [slot.name for slot in mapped.slots]
        problems += _strange_slots(document, read.tray.expect, names)
    if problems:
        raise refuse(problems)
    database = read.database if "://" in read.database else f"sqlite:///{place(read.database)}"
    return Settings(
        path=path.absolute(),
        station=read.station,
        database=database,
        store=place(read.store),
        recipes=place(read.recipes),
        slots=mapped.slots,
        families=None if read.families is None else place(read.families),
        socket=place(read.socket or "station.sock"),
        evidence=place(read.evidence or str(_beside(database, place(read.store)) / "evidence")),
        campaigns=place(read.campaigns or "campaigns"),
        sheets=place(read.sheets or str(_beside(database, place(read.store)) / "sheets")),
        tray=read.tray,
        line=read.line,
        audit=read.audit,
        golden=read.golden,
        key=place(read.audit.key or str(_beside(database, place(read.store)) / "station.key")),
        publish=None if read.audit.publish is None else place(read.audit.publish),
        hubs=mapped.hubs,
        slot_map=slot_map,
    )


def _beside(database: str, store: Path) -> Path:
    """Where the record is backed up, its evidence is."""
    is_file = database.startswith("sqlite:///")
    return Path(database.removeprefix("sqlite:///")).parent if is_file else store.parent


def _strange_slots(document: Document, expect: Expect, slots: list[str]) -> list[str]:
    """What a tray is expected to have must be among the slots."""
    where = ("tray", "expect")
    if isinstance(expect, int) and expect > len(slots):
        return [document.problem(where, f"{expect} modules do not fit into {len(slots)} slots")]
    if not isinstance(expect, tuple):
        return []
    problems = []
    for place, name in enumerate(expect):
        if name not in slots:
            problems.append(document.problem((*where, place), f"there is no slot {name!r}"))
        elif name in expect[:place]:
            problems.append(document.problem((*where, place), f"slot {name} is listed twice"))
    return problems


def find_config(explicit: Path | None, environ: Mapping[str, str]) -> Path:
    """The settings file to use: `--config`, `$STATION_CONFIG`, then the default places.

    A file that was named must exist; raises ConfigError with every place looked at.
    """
    if explicit is not None:
        return _named(explicit, "--config")
    if environ.get("STATION_CONFIG"):
        return _named(Path(environ["STATION_CONFIG"]), "$STATION_CONFIG")
    for place in DEFAULT_PLACES:
        if _exists(place):
            return place
    looked = ", ".join(str(place) for place in DEFAULT_PLACES)
    raise ConfigError(
        f"no settings file: neither --config nor $STATION_CONFIG is given, looked for {looked}"
    )


def _named(path: Path, by: str) -> Path:
    if not _exists(path):
        raise ConfigError(f"{path}: there is no such file (named by {by})")
    return path


def _exists(path: Path) -> bool:
    """A file, or one that we may not see: then reading it says so."""
    try:
        return path.is_file()
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False
