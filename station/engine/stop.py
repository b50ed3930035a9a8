"""How a person stops what runs."""

import signal
from dataclasses import dataclass, field

import trio


@dataclass(slots=True)
class Stop:
    """`gently` lets modules that are being written be finished, `now` does not. Modules that
    were only switched are given back either way."""

    gently: trio.Event = field(default_factory=trio.Event)
    now: trio.Event = field(default_factory=trio.Event)


async def obey_signals(
    stop: Stop, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Ctrl-C, `kill` and a terminal that was closed stop gently; the same one of the first two
    once more means now. A window that is closed after a Ctrl-C is no second thought."""
    heard: set[int] = set()
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        task_status.started()
        async for number in signals:
            if number in heard and number != signal.SIGHUP:
                stop.now.set()
            heard.add(number)
            stop.gently.set()
