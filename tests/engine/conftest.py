"""Time for whole trays: the mock clock, with worker threads made part of the same moment."""

from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock


@pytest.fixture
def tray_clock(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> MockClock:
    """An autojump clock that stands still while the database or the package store works.

    The clock jumps whenever every task is blocked, and a task that waits for a thread counts as
    blocked: deadlines would pass while a commit is on its way. So blocking calls run in place.
    """

    async def in_place(call: Callable[..., Any], *args: Any, **_: Any) -> Any:  # noqa: ANN401 - the signature of trio's own
        await trio.lowlevel.checkpoint()
        return call(*args)

    monkeypatch.setattr(trio.to_thread, "run_sync", in_place)
    return autojump_clock
