"""Calls that may never return, one after the other in a thread, whoever still waits for them.

A write to `disable` waits for the kernel's lock of the hub, which may never come. Whoever is out of
patience goes; the call goes on, and what is asked after it is done after it. So power that was to
be given back comes on late rather than never, and nothing that is late takes it away again.
"""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import TypeVar

import trio

T = TypeVar("T")


class InTurn:
    """`do` in trio's thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._due: deque[Callable[[], None]] = deque()
        self._is_at_it = False

    async def do(self, work: Callable[[], T]) -> T:
        """What `work` comes to in its turn. Cancelled, it leaves the thread at it."""
        token = trio.lowlevel.current_trio_token()
        ended = trio.Event()
        results: list[T] = []
        failures: list[BaseException] = []

        def call() -> None:
            try:
                results.append(work())
            except BaseException as error:  # noqa: BLE001 - trio's task raises it
                failures.append(error)
            with suppress(trio.RunFinishedError):  # nobody is left who would want to know
                token.run_sync_soon(ended.set)

        self._ask(call)
        await ended.wait()
        if failures:
            raise failures[0]
        return results[0]

    def _ask(self, call: Callable[[], None]) -> None:
        with self._lock:
            self._due.append(call)
            if self._is_at_it:
                return
            try:
                trio.lowlevel.start_thread_soon(self._work, lambda _: None)
            except RuntimeError:  # no thread is to be had: whoever comes next tries again
                self._due.pop()
                raise
            self._is_at_it = True

    def _work(self) -> None:
        while (call := self._next()) is not None:
            call()

    def _next(self) -> Callable[[], None] | None:
        with self._lock:
            self._is_at_it = bool(self._due)
            return self._due.popleft() if self._due else None
