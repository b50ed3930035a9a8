"""How a person stops what runs."""

from dataclasses import dataclass, field

import trio


@dataclass(slots=True)
class Stop:
    """`gently` lets modules that are being written be finished, `now` does not. Modules that
    were only switched are given back either way."""

    gently: trio.Event = field(default_factory=trio.Event)
    now: trio.Event = field(default_factory=trio.Event)

    def ask(self) -> bool:
        """Gently the first time, now the second; True if it was the first."""
        is_first = not self.gently.is_set()
        (self.gently if is_first else self.now).set()
        return is_first
