"""What the arguments of many commands share: where the settings are."""

import os
from pathlib import Path
from typing import Annotated

import typer

from station.config import Settings, find_config, load_settings

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="Settings file. Default: $STATION_CONFIG, ./config/station.yaml, "
        "/etc/station/station.yaml.",
    ),
]


def settings_of(config: Path | None) -> Settings:
    """The settings that a command is about. Raises ConfigError."""
    return load_settings(find_config(config, os.environ))
