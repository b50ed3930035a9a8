"""Where a screen finds what was done: the record, with or without an engine."""

from typing import Protocol

from station.dashboard.history_line import wanted
from station.dashboard.history_questions import Ask, Sheet, answer
from station.model import AttemptRecord
from station.store.queries import find_attempts


class HistorySource(Protocol):
    def find(self, text: str, limit: int) -> list[AttemptRecord]:
        """The newest attempts that are asked for, newest first. Blocks. `text`: the name of a unit,
        or as in `history_line`.

        Raises StationError when the record cannot be asked.
        """
        ...

    def ask(self, asked: Ask, text: str, now_utc_us: int, limit: int) -> Sheet:
        """What the record says. Blocks. Raises as `find`. `text`: see `Ask`."""
        ...


class DatabaseHistory:
    """The record that this station writes, on connections that cannot. Others may write it, too."""

    def __init__(self, url: str, station: str) -> None:
        self._url, self._station = url, station

    def find(self, text: str, limit: int) -> list[AttemptRecord]:
        """See HistorySource. Names (imei, serial, chip serial, label) are exact."""
        return find_attempts(self._url, limit=limit, **wanted(text, self._station))[::-1]

    def ask(self, asked: Ask, text: str, now_utc_us: int, limit: int) -> Sheet:
        """See HistorySource."""
        return answer(self._url, self._station, asked, text, now_utc_us, limit)
