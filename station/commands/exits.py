"""Exit codes, the same for every command."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import NoReturn

from station.errors import (
    ConfigError,
    EngineRunning,
    StationError,
    StoreError,
    UsageError,
    UsbError,
)


class Exit(IntEnum):
    GOOD = 0
    """All PASS or NO_CHANGE; the question was answered."""
    VERDICT = 1
    """Any other verdict, an empty selected slot, a check that found something."""
    USAGE = 2
    """Wrong arguments, wrong configuration, or an engine already owns the slots."""
    STATION = 3
    """The station failed: database, USB access, disk."""


def exit_of(error: StationError) -> Exit:
    if isinstance(error, ConfigError | UsageError | EngineRunning):
        return Exit.USAGE
    if isinstance(error, StoreError | UsbError):
        return Exit.STATION
    return Exit.VERDICT


def say(text: str) -> None:
    """One line of narration."""
    sys.stderr.write(text + "\n")


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
