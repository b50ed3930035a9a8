"""`station line`: what a person asks of the running line, without a screen."""

import json
import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from station.commands.append import tell
from station.commands.call import Call, Refused, call
from station.commands.exits import Exit, leave, put, say, show
from station.commands.line_table import print_status
from station.commands.options import user_name
from station.config import Settings
from station.engine.feed import plain
from station.errors import ConfigError, NoEngine, OtherProtocol, Stopping, UsageError
from station.live import LineView, RecipeView, SlotView
from station.wire import (
    Command,
    Recipes,
    Status,
    Watch,
    message_line,
    parse_command,
)

ARM_S = 660.0
"""Packages are hashed and copied; the engine gives up first."""

HANDS_S = 60.0
SILENCE_S = 10.0
"""The engine speaks every second."""

END_S = 1320.0
"""A drain has its own deadline, which is shorter."""

_DONE = {
    "retry": "retry begins",
    "abort": "its attempt is being ended",
    "hold": "held back",
    "release": "back in the line",
    "lift": "lifted, and on record",
    "clear": "taken as empty",
    "disarm": "disarmed; what runs is finished",
}
"""What is said when the engine has answered."""

T = TypeVar("T")

_RECIPES: TypeAdapter[tuple[RecipeView, ...]] = TypeAdapter(tuple[RecipeView, ...])
_LINE: TypeAdapter[LineView] = TypeAdapter(LineView)
_SLOTS: TypeAdapter[tuple[SlotView, ...]] = TypeAdapter(tuple[SlotView, ...])


@dataclass(frozen=True, slots=True)
class Arming:
    """What the caller chose; None and no recipes: what the station can know by itself."""

    recipes: tuple[str, ...] = ()
    operator: str | None = None
    label: str | None = None
    lot: str | None = None
    target: int | None = None
    expect: str | None = None


@contextmanager
def engine_of(settings: Settings) -> Iterator[Call]:
    """A call to the engine of these settings. A refusal is told, and the command ends with it."""
    try:
        with call(settings.socket) as engine:
            yield engine
    except Refused as refused:
        tell(refused)


def do(
    settings: Settings,
    what: str,
    *,
    by: str | None = None,
    slot: str | None = None,
    **parts: object,
) -> None:
    """Have one short command carried out: `retry`, `abort`, `hold`, … with its parts; say so."""
    command = command_of(what, by=user_name() if by is None else by, slot=slot, **parts)
    with engine_of(settings) as engine:
        engine.ask(command)
    say(f"{slot}: {_DONE[what]}" if slot else _DONE[what])


def use_hands(settings: Settings, action: str, slot: str | None, fault: str | None) -> None:
    """Plug and pull simulated modules."""
    command = command_of("hands", by=user_name(), action=action, slot=slot, fault=fault)
    with engine_of(settings) as engine:
        engine.ask(command, HANDS_S)


def command_of(what: str, **parts: object) -> Command:
    """A command checked as the engine checks it; parts that are None are left out. Raises
    UsageError naming the part."""
    given = {name: value for name, value in parts.items() if value is not None}
    return parse_command(json.dumps({"do": what, **given}).encode())


# --- arm --------------------------------------------------------------------------------------


def arm(settings: Settings, arming: Arming) -> None:
    """Arm with the recipes as the engine shows them now. Raises UsageError, ConfigError."""
    expect = None if arming.expect is None else parse_expect(arming.expect)
    with engine_of(settings) as engine:
        answer = engine.ask(Recipes())
        if answer.get("problem"):
            raise ConfigError(plain(str(answer["problem"])))
        chosen = choose(_read(_RECIPES, answer.get("recipes")), arming.recipes)
        for recipe in chosen:
            words = f"{recipe.name} revision {recipe.revision}: {recipe.version}"
            say(plain(f"arming {words}, digest {recipe.sha256[:8]}"))
        command = command_of(
            "arm",
            recipes=[{"name": recipe.name, "sha256": recipe.sha256} for recipe in chosen],
            operator=arming.operator or user_name(),
            label=arming.label,
            lot=arming.lot,
            target=arming.target,
            expect=expect,
        )
        engine.ask(command, ARM_S)
    say("armed")


def choose(there: tuple[RecipeView, ...], names: tuple[str, ...]) -> tuple[RecipeView, ...]:
    """The recipes of these names; none named: the only one there is. Raises UsageError."""
    known = {recipe.name: recipe for recipe in there}
    named = ", ".join(known) or "none"
    if not names:
        if len(known) != 1:
            raise UsageError(plain(f"say which with --recipe; there are: {named}"))
        return there
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(plain(f"there is no recipe {', '.join(unknown)}; there are: {named}"))
    return tuple(known[name] for name in dict.fromkeys(names))


def parse_expect(text: str) -> str | int | list[str]:
    """`all`, `none`, a number of modules, or slots: `A1,A2`. Raises UsageError."""
    if text in ("all", "none"):
        return text
    if text.isascii() and text.isdigit():
        return int(text[:9])
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise UsageError(f"--expect {text!r} is not all, none, a number or slots such as A1,A2")
    return names


# --- look -------------------------------------------------------------------------------------


def status(settings: Settings, *, as_json: bool) -> None:
    """The line and its slots, once."""
    with engine_of(settings) as engine:
        answer = engine.ask(Status())
    line, slots = line_of(answer), _read(_SLOTS, answer.get("slots"))
    if as_json:
        show(json.dumps(answer))
    else:
        print_status(line, slots)


def line_of(answer: dict[str, Any]) -> LineView:
    """The line in the answer to Status. Raises OtherProtocol."""
    return _read(_LINE, answer.get("line"))


def watch(settings: Settings) -> None:
    """The engine's lines on stdout, until Ctrl-C. Raises NoEngine when they end."""
    with suppress(KeyboardInterrupt), engine_of(settings) as engine, _ended_by_ctrl_c(engine):
        _put(message_line(engine.hello))
        engine.ask(Watch())
        while True:
            _put(message_line(engine.next(SILENCE_S)))


@contextmanager
def _ended_by_ctrl_c(engine: Call) -> Iterator[None]:
    """An exception that comes at any moment may come where Python drops it, in a finalizer. Then
    there is still nothing more to hear."""

    def told(number: int, frame: FrameType | None) -> None:
        engine.hang_up()
        signal.default_int_handler(number, frame)

    before = signal.signal(signal.SIGINT, told)
    try:
        yield
    except NoEngine:
        if not engine.hung_up:
            raise
    finally:
        signal.signal(signal.SIGINT, before)


def _put(line: bytes) -> None:
    if not put(line.decode()):
        leave(Exit.STATION)


# --- stop -------------------------------------------------------------------------------------


def stop(settings: Settings, *, now: bool, wait: bool, by: str | None) -> None:
    """Ask the engine to end; `wait` until its process has ended. Raises Stopping if it does
    not in time, UsageError if its process cannot be seen from here."""
    command = command_of("stop", by=by or user_name(), now=now)
    with engine_of(settings) as engine:
        process = _process(engine.pid) if wait else None
        try:
            engine.ask(command)
        except NoEngine:  # one that has nothing to finish may be gone before it answers
            if not engine.ended:
                raise
    say("aborting" if now else "draining: modules that are being written are finished")
    if process is None:
        return
    try:
        poll = select.poll()
        poll.register(process, select.POLLIN)
        if not poll.poll(END_S * 1000):
            raise Stopping(f"the engine has not ended within {END_S:.0f} s")
    finally:
        os.close(process)
    say("ended")


def _process(pid: int) -> int:
    try:
        return os.pidfd_open(pid)
    except OSError as error:
        raise UsageError(
            f"the engine's process cannot be watched from here ({error.strerror}); leave out --wait"
        ) from error


def _read(adapter: TypeAdapter[T], value: object) -> T:
    """Part of an answer. Raises OtherProtocol."""
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the answer"
        raise OtherProtocol(f"the engine answered something unknown: {place}") from None
