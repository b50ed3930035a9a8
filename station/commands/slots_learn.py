"""`station slots learn`: a person plugs a module into one slot after another; plugging is the
answer, so it needs no keyboard."""

import json
import re
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import trio

from station.commands.call import call
from station.commands.exits import Exit, leave, put, say, show
from station.commands.lesson import Lesson, Said, Unusable
from station.commands.slot_map_file import map_text, require_writable, write_map
from station.config import Families, Settings, load_families
from station.config.slot_map import MAX_SLOTS, is_name
from station.engine.feed import plain
from station.engine.lock import own
from station.errors import EngineRunning, NoEngine, UsageError
from station.model import DeviceInfo, PortPath
from station.transport.locate import locate
from station.transport.topology import Topology, UsbDevice, read_topology

LOOK_S = 1.0
"""The longest time between two looks, should a change go unheard."""

DEFAULT_MAP = "slots.yaml"

_RANGE = re.compile(r"(?P<head>[A-Za-z0-9_-]*?)(?P<first>\d{1,3})\.\.(?P=head)(?P<last>\d{1,3})")


@dataclass(frozen=True, slots=True)
class Learning:
    """What is asked. `slots` empty: those of the settings. `any_device`: a USB stick will do.

    `partial`: when a slot is not plugged within `wait_s`, keep what was learned so far.
    """

    slots: tuple[str, ...] = ()
    target: Path | None = None
    wait_s: float = 600.0
    any_device: bool = False
    partial: bool = False
    json: bool = False


Look = Callable[[], Awaitable[Topology]]
WaitChange = Callable[[float], Awaitable[None]]


def learn(
    settings: Settings,
    asked: Learning,
    wait_change: WaitChange,
    confirm: Callable[[str], bool],
    sysfs: Path = Path("/sys"),
    clock: trio.abc.Clock | None = None,
) -> Exit:
    """Walk, then write the map; Ctrl-C and a slot that stays empty leave the old one as it was.

    Raises UsageError, EngineRunning and what writing raises.
    """
    names = asked.slots or tuple(slot.name for slot in settings.slots)
    if not names:
        raise UsageError("say which slots there are, such as --slots A1..A8")
    target = asked.target or settings.slot_map or settings.path.with_name(DEFAULT_MAP)
    require_writable(target)
    families = load_families(settings.families)
    with ExitStack() as held:
        ports = _Ports(held)
        _refuse_engine(settings, ports, sysfs)
        lesson = Lesson(names, _taker(families, asked), _namer(families), ports.claim)

        async def look() -> Topology:
            return await trio.to_thread.run_sync(read_topology, sysfs)

        tell = _teller(as_json=asked.json)
        try:
            trio.run(walk, lesson, look, wait_change, asked.wait_s, tell, clock=clock)
        except KeyboardInterrupt:
            say("stopped; nothing was changed")
            return Exit.VERDICT
    if lesson.current is not None and not _keep_part(lesson, asked, confirm):
        return Exit.VERDICT
    _write(settings, target, lesson, as_json=asked.json)
    return Exit.GOOD if lesson.current is None else Exit.VERDICT


async def walk(
    lesson: Lesson,
    look: Look,
    wait_change: WaitChange,
    wait_s: float,
    tell: Callable[[Said], None],
) -> None:
    """Until every slot is learned, or one of them was not within `wait_s`."""
    slot: str | None = None
    deadline_s = trio.current_time()
    while True:
        topology = await look()
        now_s = trio.current_time()
        for said in lesson.look(topology, now_s):
            tell(said)
        if lesson.current is None:
            return
        if lesson.current != slot:
            slot, deadline_s = lesson.current, now_s + wait_s
            tell(Said("waiting", f"plug a module into {slot}", slot))
        if now_s >= deadline_s:
            tell(Said("late", f"no module came to {slot} within {wait_s:g} s", slot))
            return
        due_s = lesson.due_s()
        next_s = min(deadline_s, now_s + LOOK_S, deadline_s if due_s is None else due_s)
        await wait_change(max(next_s - now_s, 0.0))


def parse_slots(text: str) -> tuple[str, ...]:
    """`A1..A4,B1` -> A1, A2, A3, A4, B1. Raises UsageError."""
    names: list[str] = []
    for part in text.split(","):
        names += _range(part.strip())
        if len(names) > MAX_SLOTS:
            raise UsageError(f"--slots: {MAX_SLOTS} slots are the most")
    for name in names:
        if not is_name(name):
            raise UsageError(f"--slots: {name[:40]!r} is not a slot's name such as A1")
        if names.count(name) > 1:
            raise UsageError(f"--slots: {name} is there twice")
    return tuple(names)


def _range(part: str) -> Iterator[str]:
    match = _RANGE.fullmatch(part)
    if match is None:
        yield part
        return
    first, last = int(match["first"]), int(match["last"])
    if last < first:
        raise UsageError(f"--slots: {part} runs backwards")
    yield from (f"{match['head']}{number}" for number in range(first, last + 1))


# --- who else works here ----------------------------------------------------------------------


@dataclass(slots=True)
class _Ports:
    """Ports that are ours while we learn, so that no engine starts to work with them."""

    held: ExitStack
    ours: set[PortPath] = field(default_factory=set)

    def own(self, path: PortPath) -> None:
        """Raises EngineRunning."""
        if path not in self.ours:
            self.held.enter_context(own(None, [path]))
            self.ours.add(path)

    def claim(self, path: PortPath) -> None:
        """Raises Unusable."""
        try:
            self.own(path)
        except EngineRunning as error:
            raise Unusable(error.cause) from error


def _refuse_engine(settings: Settings, ports: _Ports, sysfs: Path) -> None:
    """Raises EngineRunning while one works with the settings' slots."""
    try:
        with call(settings.socket):
            raise EngineRunning(f"an engine works with these slots ({settings.socket})")
    except NoEngine:
        pass
    for slot in locate(settings.slots, settings.hubs, read_topology(sysfs)).slots:
        for path in slot.ports:
            ports.own(path)


# --- words ------------------------------------------------------------------------------------


def _taker(families: Families, asked: Learning) -> Callable[[UsbDevice], bool]:
    return lambda device: asked.any_device or families.is_module(device.usb_id)


def _namer(families: Families) -> Callable[[UsbDevice], str]:
    return lambda d: families.what_is(DeviceInfo(d.path, d.vid, d.pid, (), 0))


def _teller(*, as_json: bool) -> Callable[[Said], None]:
    def tell(said: Said) -> None:
        if not as_json:
            say(plain(said.words))
            return
        _json_line(
            kind=said.kind,
            slot=said.slot,
            path=None if said.path is None else str(said.path),
            locations=[str(location) for location in said.locations],
            words=said.words,
        )

    return tell


def _json_line(**facts: object) -> None:
    if not put(json.dumps(facts) + "\n"):
        leave(Exit.STATION)


def _keep_part(lesson: Lesson, asked: Learning, confirm: Callable[[str], bool]) -> bool:
    """Only if the person says so, beforehand or now."""
    count = f"{len(lesson.learned)} of {len(lesson.wanted)} slots"
    if lesson.learned and (
        asked.partial
        or (not asked.json and sys.stdin.isatty() and confirm(f"write a map of {count}?"))
    ):
        return True
    say(f"{count} learned; nothing was changed (--partial keeps a part)")
    return False


def _write(settings: Settings, target: Path, lesson: Lesson, *, as_json: bool) -> None:
    recipes = {slot.name: slot.recipe for slot in settings.slots}
    text = map_text(lesson.learned, recipes)
    backup = write_map(target, text, settings.path)
    is_named = settings.slot_map is not None and target.resolve() == settings.slot_map.resolve()
    if as_json:
        kept = None if backup is None else str(backup)
        _json_line(kind="written", path=str(target), backup=kept, is_named=is_named)
        return
    show(text)
    say(f"written to {target}" + ("" if backup is None else f"; the old one is {backup}"))
    if not is_named:
        say(f"{settings.path} still has slots of its own; write there instead:\n")
        say(f"slots: {_relative(target, settings.path.parent)}")


def _relative(target: Path, folder: Path) -> Path:
    target = target.absolute()
    return target.relative_to(folder) if target.is_relative_to(folder) else target
