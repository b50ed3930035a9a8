"""The dashboard on this terminal, which is given back however it ends."""

import asyncio
import signal

from station.dashboard.app import StationApp


def show(app: StationApp) -> BaseException | None:
    """Show it until it is left, or until the process is told to end (SIGTERM, SIGHUP). Afterwards
    the terminal is as it was before. Returns the bug that ended it, if one did; it is told on
    stderr already."""
    asyncio.run(_show(app))
    return app.crash


async def _show(app: StationApp) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, app.exit)
    await app.run_async(mouse=False)  # nothing here needs one, and people select text with it
