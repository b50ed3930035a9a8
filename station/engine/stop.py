"""How a person stops what runs."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

import trio

_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


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

    def told(number: int) -> None:
        if number in heard and number != signal.SIGHUP:
            stop.now.set()
        heard.add(number)
        stop.gently.set()

    with heeded(told):
        task_status.started()
        await trio.sleep_forever()


@contextmanager
def heeded(told: Callable[[int], object]) -> Iterator[None]:
    """Ctrl-C, `kill` and a terminal that was closed call `told` from trio's loop.

    trio's own receiver raises a signal again that comes while it ends, and the second Ctrl-C of
    somebody impatient would end in a traceback.
    """
    token = trio.lowlevel.current_trio_token()

    def handler(number: int, _: FrameType | None) -> None:
        token.run_sync_soon(told, number)

    before = {number: signal.signal(number, handler) for number in _ENDS}
    try:
        yield
    finally:
        for number, handling in before.items():
            signal.signal(number, handling)
