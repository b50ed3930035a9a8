"""What many commands share: where the settings are, who asks, arguments of one form."""

import os
import pwd
from pathlib import Path
from typing import Annotated

import typer

from station.config import Settings, find_config, load_settings
from station.errors import UsageError

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="Settings file. Default: $STATION_CONFIG, ./config/station.yaml, "
        "/etc/station/station.yaml.",
    ),
]

Since = Annotated[
    str | None, typer.Option("--since", help="2026-11-20, 2026-11-20T08:00 (UTC), 8h, 3d or 2w.")
]
Until = Annotated[
    str | None,
    typer.Option("--until", help="What was, or began, before; in the same forms as --since."),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON line per attempt on stdout.")]
Csv = Annotated[bool, typer.Option("--csv", help="CSV on stdout.")]

By = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="ENGINEER",
        help="Which engineer asks, by name or badge. Default: the user of the operating system.",
    ),
]
Reason = Annotated[
    str | None,
    typer.Option("--reason", help="Why, for the record; needed where people are registered."),
]

Family = Annotated[str, typer.Option(help="ec25 or rm500q.")]
Seed = Annotated[int | None, typer.Option(help="Same seed, same modules.")]
Speed = Annotated[float, typer.Option(help="How much faster than real time.")]
Faults = Annotated[
    list[str] | None, typer.Option("--fault", help="SLOT=NAME, e.g. A3=nak; may be repeated.")
]
Plain = Annotated[
    bool, typer.Option("--plain", help="A screen of eight colours and plain letters.")
]


def settings_of(config: Path | None) -> Settings:
    """The settings that a command is about. Raises ConfigError."""
    return load_settings(find_config(config, os.environ))


def parse_pairs(texts: list[str], what: str, example: str) -> dict[str, str]:
    """`A1=VALUE` arguments as a mapping. Raises UsageError showing the form."""
    pairs: dict[str, str] = {}
    for text in texts:
        slot, equals, value = text.partition("=")
        if not (slot and equals and value):
            raise UsageError(f"{what} {text!r} is not of the form SLOT=VALUE, e.g. {example}")
        pairs[slot] = value
    return pairs


def faults_of(texts: list[str] | None) -> dict[str, str]:
    """`--fault` by slot. Raises UsageError."""
    return parse_pairs(texts or [], "--fault", "A1=nak")


def user_name() -> str:
    """Who works here: the user of the operating system, not an environment variable."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
