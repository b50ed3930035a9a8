"""What the arguments of many commands share: where the settings are."""

import os
from pathlib import Path
from typing import Annotated

import typer

from station.commands import audit
from station.config import Settings, find_config, load_settings
from station.store.writer import now_utc_us

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
Json = Annotated[bool, typer.Option("--json", help="One JSON line per attempt on stdout.")]


def settings_of(config: Path | None) -> Settings:
    """The settings that a command is about. Raises ConfigError."""
    return load_settings(find_config(config, os.environ))


def since_utc_us(text: str | None) -> int | None:
    """`--since`. Raises UsageError."""
    return None if text is None else audit.parse_since(text, now_utc_us())
