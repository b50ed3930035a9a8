"""What a call costs, counted instead of timed: every call, and the bytes that methods walk over.

A `bytes.find` or `str.splitlines` counts the length of what it is called on, which it may have to
look at as a whole. So work that grows with the square of the input shows on any machine alike.
"""

import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType

_TEXTS = (bytes, bytearray, str)
_GLANCES = frozenset({"startswith", "endswith", "append", "extend", "removeprefix", "removesuffix"})
_BYTES_PER_CALL = 64


def work(call: Callable[[], object]) -> int:
    total = 0

    def count(_frame: FrameType, event: str, function: object) -> None:
        nonlocal total
        if event == "call":
            total += 1
        elif event == "c_call":
            subject = getattr(function, "__self__", None)
            walks = isinstance(subject, _TEXTS) and function.__name__ not in _GLANCES  # type: ignore[attr-defined]  # a built-in method has a name
            total += 1 + (len(subject) // _BYTES_PER_CALL if walks else 0)  # type: ignore[arg-type]  # is a text where `walks`

    sys.setprofile(count)
    try:
        call()
    finally:
        sys.setprofile(None)
    return total


def peak_bytes(call: Callable[[], object]) -> int:
    """The most memory that was held at once."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
