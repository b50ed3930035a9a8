"""What somebody changed, and where."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

MOST_FINDINGS = 1000
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Finding:
    """What is not as it was written. `seq` 0: it is in no link at all; `what` names the row, in
    printable ASCII."""

    station: str
    seq: int
    what: str
    why: str
    is_row: bool = True
    """Not the link as such."""


class Findings:
    """Each once, and not more than anybody reads."""

    def __init__(self) -> None:
        self._found: set[Finding] = set()

    @property
    def is_full(self) -> bool:
        return len(self._found) >= MOST_FINDINGS

    def add(self, station: str, seq: int, what: str, why: str, *, is_row: bool = True) -> None:
        if not self.is_full:
            self._found.add(Finding(_printable(station), seq, _printable(what), why, is_row))

    def add_all(self, found: Iterable[Finding]) -> None:
        self._found.update(islice(found, MOST_FINDINGS - len(self._found)))

    def add_link(self, station: str, seq: int, why: str) -> None:
        self.add(station, seq, f"link {seq} of the chain", why, is_row=False)

    def in_order(self) -> list[Finding]:
        """By link; its rows before the link as such."""
        return sorted(self._found, key=lambda f: (f.station, f.seq, not f.is_row, f.what))


def _printable(text: str) -> str:
    """A row's key may be anything; whoever reads this sits at a terminal."""
    return ascii(text)[1:-1][:_SHOWN]
