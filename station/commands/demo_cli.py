"""The arguments of `station demo`."""

from pathlib import Path
from typing import Annotated

import typer

from station.commands import demo, sim
from station.commands.exits import leave, show, station_errors
from station.commands.options import Config, Family, Faults, Json, Plain, Seed, Speed, faults_of

app = typer.Typer()


@app.command("demo")
def _demo(
    slots: Annotated[int, typer.Option(help="Simulated modules on the tray.")] = 8,
    family: Family = "ec25",
    once: Annotated[bool, typer.Option("--once", help="One tray without a screen.")] = False,
    json: Json = False,
    seed: Seed = None,
    speed: Speed = 1.0,
    fault: Faults = None,
    list_faults: Annotated[
        bool, typer.Option("--list-faults", help="Show the faults and exit.")
    ] = False,
    data: Annotated[Path | None, typer.Option(help="Folder for settings and records.")] = None,
    plain: Plain = False,
    config: Config = None,  # noqa: ARG001 - accepted everywhere; a demo writes its own
) -> None:
    """Flash a tray of simulated modules, live on a terminal; no hardware needed."""
    if list_faults:
        show(demo.list_faults())
        return
    with station_errors():
        modelled = sim.Modelled(family, seed, speed, faults_of(fault))
        leave(demo.run_demo(demo.DemoRequest(slots, modelled, once, json, plain, data)))
