"""Where the slots are: found in the USB tree at start, and drawn."""

import json
import os
from dataclasses import replace
from pathlib import Path

from station.commands.exits import say, show
from station.commands.slot_tree import SlotTree, tree_json, tree_lines
from station.config import Settings, find_config, load_settings
from station.engine.feed import plain
from station.errors import ConfigError
from station.transport.locate import Located, locate
from station.transport.topology import read_topology

SYSFS = Path("/sys")


def located(settings: Settings, sysfs: Path = SYSFS) -> Settings:
    """The settings with every slot's ports as they are on this machine now.

    Slots that are not where they were are disabled, and said to be.
    """
    found = locate(settings.slots, settings.hubs, read_topology(sysfs))
    for name, why in found.mismatches.items():
        say(plain(f"slot {name} is disabled: {why.code} {why.headline}: {why.cause}"))
        say(f"  -> {why.remedy}")
    return replace(settings, slots=found.slots)


def list_slots(config: Path | None, *, as_json: bool, sysfs: Path = SYSFS) -> None:
    """Draw the USB tree with slots, empty ports and devices; nothing is opened, so the engine may
    run. Without any settings, the tree alone. Raises ConfigError."""
    settings = _settings_if_any(config)
    topology = read_topology(sysfs)
    found = Located((), {}) if settings is None else locate(settings.slots, settings.hubs, topology)
    tree = SlotTree(topology, found, settings)
    if as_json:
        show(json.dumps(tree_json(tree)))
        return
    show("\n".join(plain(line) for line in tree_lines(tree)))


def _settings_if_any(config: Path | None) -> Settings | None:
    """A tray that nobody has described yet still has ports."""
    try:
        path = find_config(config, os.environ)
    except ConfigError as error:
        if config is not None or os.environ.get("STATION_CONFIG"):
            raise
        say(f"{error.cause}; slots are not shown")
        return None
    return load_settings(path)
