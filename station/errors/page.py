"""The table of all codes, as operators get it."""

from collections.abc import Iterator

from station.errors.base import Blame, StationError
from station.errors.line import LineError


def all_errors() -> Iterator[type[StationError]]:
    """Every concrete error class, in the order of its code."""
    found: set[type[StationError]] = set()
    todo = [StationError]
    while todo:
        cls = todo.pop()
        todo.extend(cls.__subclasses__())
        if "code" in cls.__dict__:
            found.add(cls)
    yield from sorted(found, key=lambda cls: cls.code)


def page() -> str:
    """The table of all codes as Markdown: `deploy/errors.md`."""
    words = {
        Blame.UNIT: "FAIL",
        Blame.REFUSAL: "BLOCKED",
        Blame.STATION: "ERROR",
        Blame.PERSON: "ABORTED",
        Blame.NOBODY: "INTERRUPTED",
    }
    rows = [
        f"| {error.code} | {error.headline} | "
        f"{'-' if issubclass(error, LineError) else words[error.blame]} | {error.remedy} |"
        for error in all_errors()
    ]
    head = [
        "# What the station says and what to do",
        "",
        "FAIL is about the module, BLOCKED was refused before the first write, ERROR is the",
        "station itself, ABORTED was a person, INTERRUPTED is what the next start found open.",
        "A refusal after the first write counts as FAIL. L codes are no verdicts: they answer",
        "commands, or are alarms on the screen.",
        "",
        "| code | screen | verdict | what to do |",
        "|---|---|---|---|",
    ]
    return "\n".join([*head, *rows]) + "\n"
