"""Other users of the guest: functions run as one of them, programs that hold a tty."""

import grp
import json
import os
import subprocess
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

STRANGER = 4242
"""A user without name, groups or rights."""


@contextmanager
def as_stranger(work: Callable[[Callable[[object], None]], None]) -> Iterator[Callable[[], Any]]:
    """Run `work(say)` in a child without rights; what it says comes out of the yielded call.

    The child is a fork: what it needs must be imported already, it cannot read our folders.
    """
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(out)
        _lose_rights_and(work, into)
    os.close(into)
    with os.fdopen(out) as said:
        yield lambda: json.loads(said.readline() or "null")
    _, status = os.waitpid(child, 0)
    assert status == 0, "the child failed; see its traceback"


def _lose_rights_and(work: Callable[[Callable[[object], None]], None], into: int) -> None:
    """Never returns."""
    status = 1
    try:
        os.setgroups([])
        os.setgid(STRANGER)
        os.setuid(STRANGER)
        work(lambda words: _write(into, words))
        status = 0
    except BaseException:  # noqa: BLE001 - a fork must not run on as a second pytest
        traceback.print_exc()
    finally:
        os._exit(status)


def _write(into: int, words: object) -> None:
    os.write(into, json.dumps(words).encode() + b"\n")


@contextmanager
def holding(node: str, *, user: int = 0) -> Iterator["subprocess.Popen[bytes]"]:
    """A `sleep` that has the node open, as a user who may."""
    process = subprocess.Popen(
        ["sh", "-c", f"exec <{node}; echo; exec sleep 1000"],
        stdout=subprocess.PIPE,
        user=user,
        group=grp.getgrnam("dialout").gr_gid,
        extra_groups=[],
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline(), "it could not open it"
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
