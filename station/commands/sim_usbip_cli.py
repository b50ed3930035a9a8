"""The arguments of `station sim usbip`."""

from pathlib import Path
from typing import Annotated

import typer

from station.commands.demo_files import SIZE_MB
from station.commands.exits import leave, show, station_errors
from station.commands.line_cli import Slot
from station.commands.options import faults_of
from station.commands.sim import Modelled
from station.commands.sim_control import command
from station.commands.sim_usbip import LISTEN, UsbipRequest, run_usbip
from station.commands.sim_usbip import list_faults as known_faults
from station.commands.sim_usbip_attach import run_attach

app = typer.Typer(
    help="Show simulated modules to a kernel as real USB devices, over USB/IP.",
    invoke_without_command=True,
)

ControlPath = Annotated[
    Path | None,
    typer.Option("--control", help="The rehearsal's control socket. Default: station-sim.sock "
                 "in /run for root, else in the user's runtime folder."),
]  # fmt: skip


@app.callback()
def _usbip(
    context: typer.Context,
    modules: Annotated[int, typer.Option(help="How many; they are called A1, A2, ...")] = 8,
    family: Annotated[str, typer.Option(help="ec25 or rm500q.")] = "ec25",
    fault: Annotated[
        list[str] | None, typer.Option(help="SLOT=NAME, e.g. A3=nak; may be repeated.")
    ] = None,
    list_faults: Annotated[
        bool,
        typer.Option(
            "--list-faults", help="Show the faults, and devices that are no modules; then exit."
        ),
    ] = False,
    seed: Annotated[int | None, typer.Option(help="Same seed, same modules.")] = None,
    speed: Annotated[float, typer.Option(help="How much faster than real time.")] = 1.0,
    size: Annotated[int, typer.Option(help="Firmware in their flash, in MB.")] = SIZE_MB,
    tolerant: Annotated[
        bool, typer.Option("--tolerant", help="Let other tools break the strict rules.")
    ] = False,
    unlimited: Annotated[
        bool, typer.Option("--unlimited", help="Download mode takes no time of its own.")
    ] = False,
    listen: Annotated[
        str | None,
        typer.Option(help=f"HOST:PORT for `usbip attach`. Default without --attach: {LISTEN}."),
    ] = None,
    attach: Annotated[
        bool, typer.Option("--attach", help="Attach them to this kernel and keep them; needs root.")
    ] = False,
    control: ControlPath = None,
) -> None:
    """Export modules until stopped; prints the slots for station.yaml when it attaches them."""
    if context.invoked_subcommand is not None:
        return
    if list_faults:
        show(known_faults())
        return
    with station_errors():
        faults = faults_of(fault)
        leave(
            run_usbip(
                UsbipRequest(
                    modules,
                    Modelled(family, seed, speed, faults),
                    size,
                    tolerant,
                    unlimited,
                    listen if listen or attach else LISTEN,
                    attach,
                    control,
                )
            )
        )


@app.command("attach")
def _attach(
    address: Annotated[str, typer.Argument(metavar="HOST:PORT")],
    modules: Annotated[int, typer.Option(help="How many it exports.")] = 8,
) -> None:
    """Attach the modules of a rehearsal elsewhere (`--listen`) to this kernel; needs root."""
    with station_errors():
        leave(run_attach(address, modules))


@app.command("plug")
def _plug(
    slot: Slot,
    fault: Annotated[str | None, typer.Option(help="A fresh module that has it.")] = None,
    control: ControlPath = None,
) -> None:
    """Put the module that was unplugged back in; with a fault, a fresh one."""
    with station_errors():
        command(control, "plug", slot=slot, fault=fault)


@app.command("unplug")
def _unplug(slot: Slot, control: ControlPath = None) -> None:
    """Pull the module out."""
    with station_errors():
        command(control, "unplug", slot=slot)


@app.command("power")
def _power(
    slot: Slot,
    to: Annotated[str, typer.Argument(metavar="off|on|cycle")],
    control: ControlPath = None,
) -> None:
    """Switch a module's supply, as if somebody pulled it and put it back."""
    with station_errors():
        command(control, "power", slot=slot, to=to)


@app.command("status")
def _status(control: ControlPath = None) -> None:
    """What is in the slots, as JSON."""
    with station_errors():
        command(control, "status")


@app.command("calibration")
def _calibration(slot: Slot, control: ControlPath = None) -> None:
    """Whether a module's calibration is still the one it was made with."""
    with station_errors():
        command(control, "calibration", slot=slot)


@app.command("breaches")
def _breaches(slot: Slot, control: ControlPath = None) -> None:
    """Every rule of the protocol that was broken towards a module."""
    with station_errors():
        command(control, "breaches", slot=slot)


@app.command("dump")
def _dump(
    slot: Slot,
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="Made for the bytes: NAME.bin.")
    ] = None,
    control: ControlPath = None,
) -> None:
    """What a module's flash holds: length and sha256 of each partition's programmed pages."""
    with station_errors():
        absolute = None if folder is None else str(folder.absolute())
        command(control, "dump", slot=slot, folder=absolute)


@app.command("stop")
def _stop(control: ControlPath = None) -> None:
    """End the rehearsal."""
    with station_errors():
        command(control, "stop")
