"""The arguments of `station slots`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from station.commands import slots, slots_learn, slots_power
from station.commands.exits import leave, station_errors
from station.commands.options import Config, settings_of
from station.config import find_config, load_settings_to_learn
from station.transport.libusb import LibusbBackend

app = typer.Typer(help="Where the slots are in the USB tree.", no_args_is_help=True)


@app.callback()
def _slots() -> None:
    """Where the slots are in the USB tree."""


@app.command("list")
def _list(
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    config: Config = None,
) -> None:
    """Draw the USB tree: slots, empty ports, speeds, drivers, what each controller can take."""
    with station_errors():
        slots.list_slots(config, as_json=json)


@app.command("learn")
def _learn(
    slot_names: Annotated[
        str | None,
        typer.Option(
            "--slots", help="In walking order, such as A1..A8,B1. Default: those of the settings."
        ),
    ] = None,
    target: Annotated[
        Path | None,
        typer.Option("--map", help="File to write. Default: the settings' slot map."),
    ] = None,
    wait: Annotated[float, typer.Option(help="Seconds for each slot.", min=1, max=86400)] = 600.0,
    any_device: Annotated[
        bool, typer.Option("--any", help="Any USB device will do, such as a memory stick.")
    ] = False,
    partial: Annotated[
        bool, typer.Option("--partial", help="Keep what was learned when a slot stays empty.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="JSON lines on stdout.")] = False,
    config: Config = None,
) -> None:
    """Plug a module into one slot after another; the map of the tray is written at the end."""
    with station_errors():
        asked = slots_learn.Learning(
            () if slot_names is None else slots_learn.parse_slots(slot_names),
            target,
            wait,
            any_device,
            partial,
            json,
        )
        settings = load_settings_to_learn(find_config(config, os.environ))
        backend = LibusbBackend()
        leave(slots_learn.learn(settings, asked, backend.wait_change, _confirm))


def _confirm(question: str) -> bool:
    return typer.confirm(question, err=True)


@app.command("power-test")
def _power_test(
    slot: Annotated[list[str] | None, typer.Option(help="A slot; may be repeated.")] = None,
    off: Annotated[float, typer.Option(help="Seconds without power.")] = slots_power.OFF_S,
    json: Annotated[bool, typer.Option("--json", help="One JSON line per slot on stdout.")] = False,
    config: Config = None,
) -> None:
    """Switch slots off and on, one after another: does the module leave, does it return?"""
    with station_errors():
        settings = slots.located(settings_of(config))
        backend = LibusbBackend()
        asked = slots_power.Asked(tuple(slot or ()), off, as_json=json)
        leave(slots_power.power_test(settings, asked, backend, backend.power()))
