"""The arguments of `station flash`."""

import math
from typing import Annotated

import typer

from station.commands import flash
from station.commands.exits import leave, station_errors
from station.commands.options import Config, Json, parse_pairs, settings_of
from station.commands.slots import located
from station.errors import UsageError
from station.transport.libusb import LibusbBackend

app = typer.Typer()


@app.command("flash")
def _flash(
    once: Annotated[
        bool, typer.Option("--once", help="Flash every selected slot, then exit.")
    ] = False,
    slot: Annotated[list[str] | None, typer.Option(help="A slot; may be repeated.")] = None,
    recipe: Annotated[str | None, typer.Option(help="Use this recipe only.")] = None,
    sku: Annotated[
        list[str] | None,
        typer.Option(help="Label scanned or typed: VALUE for the tray, SLOT=VALUE for a slot."),
    ] = None,
    wait: Annotated[
        float,
        typer.Option(
            help="Seconds to wait until all selected slots are occupied.", min=0, max=86400
        ),
    ] = 0.0,
    operator: Annotated[
        str | None, typer.Option(help="Who flashes, by name or badge; the user if left out.")
    ] = None,
    json: Json = False,
    config: Config = None,
) -> None:
    """Flash what is plugged in now, without a screen."""
    with station_errors():
        if not once:
            raise UsageError("say `station flash --once`: every selected slot is flashed once")
        if not math.isfinite(wait):
            raise UsageError(f"--wait is {wait}; it can be 0 to 86400")
        labels = [text for text in sku or [] if "=" in text]
        tray = [text for text in sku or [] if "=" not in text]
        if not all(text.strip() for text in tray):
            raise UsageError("--sku is empty")
        if len(tray) > 1:
            raise UsageError(f"one tray has one label, not {len(tray)}: {', '.join(tray)}")
        request = flash.FlashRequest(
            slots=tuple(slot or ()),
            recipe=recipe,
            labels=parse_pairs(labels, "--sku", "A1=EC25EFA"),
            tray_label=tray[0] if tray else None,
            wait_s=wait,
            json=json,
            operator=operator,
        )
        leave(flash.run_flash(located(settings_of(config)), request, LibusbBackend()))
