"""`station sim usbip attach`: modules of a rehearsal elsewhere, at this machine's kernel."""

from functools import partial

import trio

from station.commands.exits import Exit, say, show
from station.commands.sim_usbip import names_of, pairs_for, parse_address, slots_section
from station.engine.stop import Stop, obey_signals
from station.sim.rehearsal import ports_for
from station.sim.usbip_import import Exporter, keep_imported
from station.sim.vhci import PortPair, Vhci


def run_attach(address: str, modules: int, vhci: Vhci | None = None) -> Exit:
    """Keep so many modules attached until told to stop. Raises UsageError, RehearsalError."""
    names = names_of(modules)
    exporter = Exporter(*parse_address(address, "the address"))
    vhci = vhci or Vhci()
    pairs = dict(zip(names, pairs_for(modules, vhci), strict=True))
    trio.run(_run, exporter, vhci, pairs)
    say("ended")
    return Exit.GOOD


async def _run(exporter: Exporter, vhci: Vhci, pairs: dict[str, PortPair]) -> None:
    bus_ids = {name: str(port.high_speed) for name, port in ports_for(list(pairs)).items()}
    stop = Stop()
    async with trio.open_nursery() as nursery:
        await nursery.start(obey_signals, stop)
        imported = {bus_ids[name]: pair for name, pair in pairs.items()}
        await nursery.start(partial(keep_imported, exporter, vhci, imported, say))
        show(slots_section(list(pairs), list(pairs.values())))
        say(f"{len(pairs)} modules of {exporter} keep their ports")
        await stop.gently.wait()
        nursery.cancel_scope.cancel()
