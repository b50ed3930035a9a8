"""The command line: arguments in, exit code out; the one place that picks a backend."""

import math
from pathlib import Path
from typing import Annotated

import typer

from station import __version__
from station.commands import (
    audit_cli,
    dash,
    db_cli,
    demo,
    doctor,
    evidence_cli,
    explain,
    flash,
    inspect,
    line,
    line_cli,
    run,
    serve,
    sim,
    sim_usbip_cli,
    slots_cli,
)
from station.commands.exits import leave, show, station_errors
from station.commands.options import Config, Json
from station.commands.options import settings_of as _settings
from station.commands.slots import located
from station.errors import UsageError
from station.model import Unit
from station.transport.libusb import LibusbBackend

app = typer.Typer(
    help="Flashing station for cellular modules.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
recipe_app = typer.Typer(help="Check recipes, ask which one a unit gets.", no_args_is_help=True)
package_app = typer.Typer(help="Firmware packages and their store.", no_args_is_help=True)
sim_app = typer.Typer(help="Things to rehearse with.", no_args_is_help=True)
for name, group in (
    ("line", line_cli.app),
    ("slots", slots_cli.app),
    ("recipe", recipe_app),
    ("package", package_app),
    ("audit", audit_cli.app),
    ("evidence", evidence_cli.app),
    ("db", db_cli.app),
    ("sim", sim_app),
):
    app.add_typer(group, name=name)
sim_app.add_typer(sim_usbip_cli.app, name="usbip")

Family = Annotated[str, typer.Option(help="ec25 or rm500q.")]
Seed = Annotated[int | None, typer.Option(help="Same seed, same modules.")]
Speed = Annotated[float, typer.Option(help="How much faster than real time.")]
Faults = Annotated[
    list[str] | None, typer.Option("--fault", help="SLOT=NAME, e.g. A3=nak; may be repeated.")
]
Plain = Annotated[
    bool, typer.Option("--plain", help="A screen of eight colours and plain letters.")
]


def main() -> None:
    """Entry point of `station`."""
    app()


def _version(wanted: bool) -> None:
    if wanted:
        show(__version__)
        raise typer.Exit


@app.callback()
def _station(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Flashing station for cellular modules."""


@app.command("serve")
def _serve(config: Config = None) -> None:
    """Run the engine in the foreground: the slots, the record and the socket for screens."""
    with station_errors():
        leave(serve.serve(located(_settings(config)), LibusbBackend()))


@app.command("dash")
def _dash(
    plain: Plain = False,
    kiosk: Annotated[
        bool, typer.Option("--kiosk", help="For a screen on the wall: no key ends it.")
    ] = False,
    config: Config = None,
) -> None:
    """Show the running line; leaving the screen stops nothing."""
    with station_errors():
        leave(dash.dash(_settings(config), plain=plain, kiosk=kiosk))


@app.command("run")
def _run(plain: Plain = False, config: Config = None) -> None:
    """Start an engine if none runs, and show it; leaving the screen leaves the engine."""
    with station_errors():
        leave(run.run(_settings(config), plain=plain))


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
        modelled = sim.Modelled(family, seed, speed, _faults(fault))
        leave(demo.run_demo(demo.DemoRequest(slots, modelled, once, json, plain, data)))


def _faults(texts: list[str] | None) -> dict[str, str]:
    return flash.parse_pairs(texts or [], "--fault", "A1=nak")


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
            labels=flash.parse_pairs(labels, "--sku", "A1=EC25EFA"),
            tray_label=tray[0] if tray else None,
            wait_s=wait,
            json=json,
        )
        leave(flash.run_flash(located(_settings(config)), request, LibusbBackend()).code)


@app.command("plan")
def _plan(
    recipe: Annotated[str, typer.Option(help="Name of the recipe.")],
    json: Annotated[bool, typer.Option("--json", help="The plan as JSON.")] = False,
    config: Config = None,
) -> None:
    """Show what a recipe would write, in order, without any module."""
    with station_errors():
        inspect.tell(inspect.plan(_settings(config), recipe, as_json=json))


@app.command("doctor")
def _doctor(
    json: Annotated[
        bool, typer.Option("--json", help="One JSON line per finding on stdout.")
    ] = False,
    config: Config = None,
) -> None:
    """Tell what would fail tomorrow, each with its remedy; changes nothing."""
    with station_errors():
        leave(doctor.doctor(_settings(config), as_json=json))


@app.command("explain")
def _explain(
    attempt: Annotated[
        str | None,
        typer.Argument(help="Its id as in `audit find --json`, or how it begins (6 characters)."),
    ] = None,
    slot: Annotated[str | None, typer.Option(help="The newest attempt in this slot.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Every message, one line each.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    config: Config = None,
) -> None:
    """Tell what happened in an attempt, why its verdict, and what to do; reads only."""
    with station_errors():
        leave(explain.explain(_settings(config), attempt, slot, full=full, as_json=json))


@recipe_app.command("check")
def _recipe_check(
    paths: Annotated[list[Path] | None, typer.Argument(help="Recipe files or folders.")] = None,
    config: Config = None,
) -> None:
    """Explain everything that is wrong with recipes; default: those of the settings."""
    with station_errors():
        inspect.tell(
            inspect.recipe_check(paths) if paths else inspect.recipes_check(_settings(config))
        )


@recipe_app.command("match")
def _recipe_match(
    imei: Annotated[str | None, typer.Option(help="IMEI of the unit.")] = None,
    sku: Annotated[str | None, typer.Option(help="Label, as scanned or typed.")] = None,
    firmware: Annotated[str | None, typer.Option(help="Build that the unit reports.")] = None,
    config: Config = None,
) -> None:
    """Explain which recipe a unit would get."""
    with station_errors():
        unit = Unit(imei=imei, firmware=firmware, functionality=1)
        inspect.tell(inspect.recipe_match(_settings(config), unit, sku))


@package_app.command("add")
def _package_add(path: Path, config: Config = None) -> None:
    """Check a package (folder or zip) and copy it into the store."""
    with station_errors():
        inspect.tell(inspect.package_add(_settings(config), path))


@package_app.command("check")
def _package_check(
    path: Path,
    config: Config = None,  # noqa: ARG001 - --config is accepted everywhere
) -> None:
    """Check a package without storing it."""
    with station_errors():
        inspect.tell(inspect.package_check(path))


@package_app.command("list")
def _package_list(config: Config = None) -> None:
    """The packages in the store."""
    with station_errors():
        inspect.tell(inspect.package_list(_settings(config)))


@sim_app.command("serve")
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
        modelled = sim.Modelled(family, seed, speed, _faults(fault))
        leave(sim.serve_simulated(_settings(config), modelled, linger))


@sim_app.command("plug")
def _sim_plug(
    slot: line_cli.Slot,
    fault: Annotated[
        str | None, typer.Option(help="A fresh module that has it; see `demo --list-faults`.")
    ] = None,
    config: Config = None,
) -> None:
    """Put the module that was pulled out of a slot back, else a fresh one."""
    with station_errors():
        line.use_hands(_settings(config), "plug", slot, fault)


@sim_app.command("unplug")
def _sim_unplug(slot: line_cli.Slot, config: Config = None) -> None:
    """Pull the module out of a slot."""
    with station_errors():
        line.use_hands(_settings(config), "unplug", slot, None)


@sim_app.command("tray")
def _sim_tray(config: Config = None) -> None:
    """Take the whole tray out and put a fresh one in."""
    with station_errors():
        line.use_hands(_settings(config), "tray", None, None)


@sim_app.command("package")
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
