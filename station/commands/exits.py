"""Exit codes, and the two streams: stdout is data, stderr is narration."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import IntEnum
from typing import NoReturn, TextIO

from station.errors import (
    ConfigError,
    EngineRunning,
    NoAccess,
    NoEngine,
    OtherProtocol,
    RehearsalError,
    StationError,
    StoreError,
    UsageError,
    UsbAccess,
    UsbBusy,
    UsbError,
    UsbUnavailable,
)
from station.model import Failure


class Exit(IntEnum):
    GOOD = 0
    """All PASS or NO_CHANGE; the question was answered."""
    VERDICT = 1
    """Any other verdict, an empty selected slot, a check that found something."""
    USAGE = 2
    """Wrong arguments, wrong configuration, an engine already owns the slots, or none answers."""
    STATION = 3
    """The station failed: database, USB access, disk, an output nobody takes."""


def exit_of(error: StationError) -> Exit:
    if isinstance(error, ConfigError | UsageError | EngineRunning):
        return Exit.USAGE
    if isinstance(error, NoEngine | NoAccess | OtherProtocol | RehearsalError):
        return Exit.USAGE
    if isinstance(error, StoreError | UsbError):
        return Exit.STATION
    return Exit.VERDICT


def is_stations_fault(failure: Failure) -> bool:
    """A verdict that says more of the station than of any module: no access, no database."""
    no_access = {UsbBusy.code, UsbAccess.code, UsbUnavailable.code}
    return failure.code in no_access or failure.code.startswith("S")


# --- streams ----------------------------------------------------------------------------------


def put(text: str, stream: TextIO | None = None) -> bool:
    """Write and flush; False if nobody takes it any more. Never raises: a closed terminal or a
    full disk behind a pipe must not stop a tray."""
    stream = stream or sys.stdout
    try:
        stream.write(text)
        stream.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):  # so that the interpreter's own flush finds a home
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return False
    return True


def show(text: str) -> None:
    """An answer on stdout, whole or exit code 3."""
    if text and not put(text if text.endswith("\n") else text + "\n"):
        leave(Exit.STATION)


def say(text: str) -> None:
    """One line of narration."""
    put(text + "\n", sys.stderr)


def complain(error: StationError) -> None:
    say(f"{error.code} {error.headline}: {error.cause}\n  -> {error.remedy}")


def leave(code: Exit) -> NoReturn:
    raise SystemExit(int(code))


@contextmanager
def station_errors() -> Iterator[None]:
    """Turn a station error, alone or in a nursery's group, into words and an exit code."""
    try:
        yield
    except StationError as error:
        complain(error)
        leave(exit_of(error))
    except ExceptionGroup as group:
        errors, others = group.split(StationError)
        if errors is None or others is not None:
            raise
        first = next(_leaves(errors))
        complain(first)
        leave(exit_of(first))


def _leaves(group: BaseExceptionGroup[StationError]) -> Iterator[StationError]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
