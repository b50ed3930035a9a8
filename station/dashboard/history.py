"""Where a screen finds what was done to a unit: the record, with or without an engine."""

from typing import Protocol

from station.dashboard.history_questions import Ask, Sheet, answer
from station.model import AttemptRecord
from station.store.queries import find_attempts


class HistorySource(Protocol):
    def find(self, text: str, limit: int) -> list[AttemptRecord]:
        """The newest attempts of the unit with this identifier, newest first. Blocks.

        Raises StationError when the record cannot be asked.
        """
        ...

    def ask(self, asked: Ask, text: str, now_utc_us: int, limit: int) -> Sheet:
        """What the whole record says. Blocks. Raises as `find`. `text`: see `Ask`."""
        ...


class DatabaseHistory:
    """The station's own database, on connections that cannot write."""

    def __init__(self, url: str) -> None:
        self._url = url

    def find(self, text: str, limit: int) -> list[AttemptRecord]:
        """See HistorySource. `text`: imei, serial, chip serial or label, exact."""
        return find_attempts(self._url, name=text, limit=limit)[::-1]

    def ask(self, asked: Ask, text: str, now_utc_us: int, limit: int) -> Sheet:
        """See HistorySource."""
        return answer(self._url, asked, text, now_utc_us, limit)
