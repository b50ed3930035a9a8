"""The arguments of `station serve`."""

import typer

from station.commands import serve
from station.commands.exits import leave, station_errors
from station.commands.options import Config, settings_of
from station.commands.slots import located
from station.transport.libusb import LibusbBackend

app = typer.Typer()


@app.command("serve")
def _serve(config: Config = None) -> None:
    """Run the engine in the foreground: the slots, the record and the socket for screens."""
    with station_errors():
        leave(serve.serve(located(settings_of(config)), LibusbBackend()))
