"""What somebody changed, and where."""

from collections.abc import Iterable
from dataclasses import dataclass

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
    """Each once, and of more than anybody reads the first."""

    def __init__(self) -> None:
        self._found: set[Finding] = set()

    def add(self, station: str, seq: int, what: str, why: str, *, is_row: bool = True) -> None:
        self.add_all([Finding(_printable(station), seq, _printable(what), why, is_row)])

    def add_all(self, found: Iterable[Finding]) -> None:
        self._found.update(found)
        if len(self._found) > 2 * MOST_FINDINGS:
            self._found = set(self.in_order())

    def add_link(self, station: str, seq: int, why: str) -> None:
        self.add(station, seq, f"link {seq} of the chain", why, is_row=False)

    def in_order(self) -> list[Finding]:
        """By link; its rows before the link as such."""
        return sorted(self._found, key=_place)[:MOST_FINDINGS]


def _place(found: Finding) -> tuple[str, int, bool, str, str]:
    return found.station, found.seq, not found.is_row, found.what, found.why


def _printable(text: str) -> str:
    """A row's key may be anything; whoever reads this sits at a terminal."""
    return ascii(text)[1:-1][:_SHOWN]
