"""The arguments of `station line`."""

from typing import Annotated

import typer

from station.commands import line
from station.commands.exits import station_errors
from station.commands.options import Config, settings_of
from station.errors import UsageError

app = typer.Typer(help="Command the running line, without a screen.", no_args_is_help=True)

Slot = Annotated[str, typer.Argument(metavar="SLOT", help="A slot, such as A3.")]
By = Annotated[
    str | None, typer.Option("--by", help="Who asks. Default: the user of the operating system.")
]
Worker = Annotated[
    str | None,
    typer.Option(
        "--by",
        help="Which operator or engineer asks, by name or badge. "
        "Default: the user of the operating system.",
    ),
]


@app.command("arm")
def _arm(
    recipe: Annotated[
        list[str] | None,
        typer.Option(help="May be repeated. Default: the only one there is."),
    ] = None,
    operator: Annotated[
        str | None, typer.Option(help="Who works. Default: the user of the operating system.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="SKU label of the modules.")] = None,
    lot: Annotated[str | None, typer.Option(help="The customer's order they are for.")] = None,
    target: Annotated[int | None, typer.Option(help="How many good units are wanted.")] = None,
    expect: Annotated[
        str | None,
        typer.Option(
            help="A full tray: all, none, a number, or slots such as A1,A2. "
            "Default: as in the settings."
        ),
    ] = None,
    config: Config = None,
) -> None:
    """Flash what arrives from now on, by these recipes only."""
    with station_errors():
        chosen = line.Arming(tuple(recipe or ()), operator, label, lot, target, expect)
        line.arm(settings_of(config), chosen)


@app.command("disarm")
def _disarm(by: By = None, config: Config = None) -> None:
    """Start nothing more; what runs is finished."""
    with station_errors():
        line.do(settings_of(config), "disarm", by=by)


@app.command("status")
def _status(
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    config: Config = None,
) -> None:
    """What the line and its slots do now."""
    with station_errors():
        line.status(settings_of(config), as_json=json)


@app.command("retry")
def _retry(
    slot: Slot,
    recipe: Annotated[str | None, typer.Option(help="One of the armed recipes.")] = None,
    label: Annotated[str | None, typer.Option(help="Label of the unit.")] = None,
    by: Worker = None,
    config: Config = None,
) -> None:
    """Give the module in a slot another attempt."""
    with station_errors():
        line.do(settings_of(config), "retry", by=by, slot=slot, recipe=recipe, label=label)


@app.command("abort")
def _abort(
    slot: Slot,
    now: Annotated[bool, typer.Option("--now", help="Even while the module is written.")] = False,
    by: By = None,
    config: Config = None,
) -> None:
    """End a slot's attempt."""
    with station_errors():
        line.do(settings_of(config), "abort", by=by, slot=slot, now=now)


@app.command("hold")
def _hold(
    slot: Slot,
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
    by: By = None,
    config: Config = None,
) -> None:
    """Keep a slot out of the line."""
    with station_errors():
        line.do(settings_of(config), "hold", by=by, slot=slot, reason=reason)


@app.command("release")
def _release(
    slot: Slot,
    reason: Annotated[str | None, typer.Option(help="Why; needed if an engineer holds it.")] = None,
    by: Worker = None,
    config: Config = None,
) -> None:
    """Take a slot that was held back into the line."""
    with station_errors():
        line.do(settings_of(config), "release", by=by, slot=slot, reason=reason)


@app.command("lift")
def _lift(
    reason: Annotated[str, typer.Option(help="What was wrong and was mended, for the record.")],
    by: Annotated[str, typer.Option("--by", help="The line engineer's name.")],
    slot: Annotated[
        str | None,
        typer.Option(help="A slot that was taken out. Default: the line's stop, a hub's alarm."),
    ] = None,
    config: Config = None,
) -> None:
    """Go on where the line has stopped by itself."""
    with station_errors():
        line.do(settings_of(config), "lift", by=by, slot=slot, reason=reason)


@app.command("clear")
def _clear(slot: Slot, by: By = None, config: Config = None) -> None:
    """Say that a slot is empty, when USB cannot."""
    with station_errors():
        line.do(settings_of(config), "clear", by=by, slot=slot)


@app.command("stop")
def _stop(
    now: Annotated[bool, typer.Option("--now", help="Abort what is being written, too.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Until the engine has ended.")] = False,
    by: By = None,
    config: Config = None,
) -> None:
    """End the engine; modules that are being written are finished first."""
    with station_errors():
        line.stop(settings_of(config), now=now, wait=wait, by=by)


@app.command("watch")
def _watch(
    json: Annotated[bool, typer.Option("--json", help="The engine's own lines.")] = False,
    config: Config = None,
) -> None:
    """Follow the line until Ctrl-C."""
    with station_errors():
        if not json:
            raise UsageError("say `station line watch --json`; `station dash` is for eyes")
        line.watch(settings_of(config))
