"""The arguments of `station sim`."""

import math
from pathlib import Path
from typing import Annotated

import typer

from station.commands import line, line_cli, sim, sim_usbip_cli
from station.commands.exits import leave, show, station_errors
from station.commands.options import Config, Family, Faults, Seed, Speed, faults_of, settings_of

app = typer.Typer(help="Things to rehearse with.", no_args_is_help=True)
app.add_typer(sim_usbip_cli.app, name="usbip")


@app.command("serve")
def _sim_serve(
    config: Annotated[
        Path, typer.Option("--config", help="Settings file; its record is written to.")
    ],
    family: Family = "ec25",
    seed: Seed = None,
    speed: Speed = 1.0,
    fault: Faults = None,
    linger: Annotated[
        float, typer.Option(help="End when nobody has looked for so many seconds.")
    ] = math.inf,
) -> None:
    """Run the engine over simulated modules, a tray of them plugged in."""
    with station_errors():
        modelled = sim.Modelled(family, seed, speed, faults_of(fault))
        leave(sim.serve_simulated(settings_of(config), modelled, linger))


@app.command("plug")
def _sim_plug(
    slot: line_cli.Slot,
    fault: Annotated[
        str | None, typer.Option(help="A fresh module that has it; see `demo --list-faults`.")
    ] = None,
    config: Config = None,
) -> None:
    """Put the module that was pulled out of a slot back, else a fresh one."""
    with station_errors():
        line.use_hands(settings_of(config), "plug", slot, fault)


@app.command("unplug")
def _sim_unplug(slot: line_cli.Slot, config: Config = None) -> None:
    """Pull the module out of a slot."""
    with station_errors():
        line.use_hands(settings_of(config), "unplug", slot, None)


@app.command("tray")
def _sim_tray(config: Config = None) -> None:
    """Take the whole tray out and put a fresh one in."""
    with station_errors():
        line.use_hands(settings_of(config), "tray", None, None)


@app.command("package")
def _sim_package(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write it.")],
    size: Annotated[int, typer.Option(help="Image bytes, in MB.", min=1, max=1024)] = 6,
    family: Family = "ec25",
    layout: Annotated[
        str, typer.Option(help="quectel: as a release; qdl: a flat folder for the tool qdl.")
    ] = "quectel",
    config: Config = None,  # noqa: ARG001 - --config is accepted everywhere
) -> None:
    """Write a synthetic package to rehearse with."""
    with station_errors():
        sim.write_synthetic(folder, family=family, size_mb=size, layout=layout)
        show(str(folder))
