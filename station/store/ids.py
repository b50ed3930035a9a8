"""Keys: UUIDv7 as text (RFC 9562 5.7). Their order is the order in which they were made.

The wall clock gives their time, but not their order: a clock that was set back would let an older
verdict look newer. So a key's time is never before that of the last one, nor before what the
record has already (`after`). Whoever asks for the newest asks for the greatest key.
"""

import threading
import time
from contextlib import suppress
from uuid import UUID

import uuid_utils

_MS_IN_NS = 1_000_000
_LATEST_MS = 1 << 47
"""In the year 6429. A record that has later keys was not made by a station."""


class Keys:
    """Makers of keys are threads of one process; other stations make their own."""

    def __init__(self) -> None:
        self._last_ns = 0
        self._lock = threading.Lock()

    def new(self) -> str:
        """36 characters; greater than every key before it."""
        with self._lock:
            self._last_ns = max(time.time_ns(), self._last_ns + _MS_IN_NS)
            return str(uuid_utils.uuid7(nanoseconds=self._last_ns))

    def after(self, key: str | None) -> None:
        """From now on keys are greater than this one."""
        with suppress(ValueError):
            found_ms = UUID(key or "").int >> 80
            if found_ms < _LATEST_MS:
                with self._lock:
                    self._last_ns = max(self._last_ns, found_ms * _MS_IN_NS)


_keys = Keys()
new_id = _keys.new
after = _keys.after
