"""What every error has: a code, a headline, a remedy, and who it counts against."""

from enum import Enum
from typing import ClassVar


class Blame(Enum):
    """Who a failure counts against; decides the outcome (`station.model.Failure.of`)."""

    UNIT = "unit"
    REFUSAL = "refusal"
    STATION = "station"
    PERSON = "person"
    NOBODY = "nobody"


class StationError(Exception):
    """Base of the tree. `str(error)` is the cause; never raised itself."""

    code: ClassVar[str]
    headline: ClassVar[str]
    remedy: ClassVar[str]
    blame: ClassVar[Blame] = Blame.UNIT
    retryable: ClassVar[bool] = False

    def __init__(self, cause: str) -> None:
        super().__init__(cause)

    @property
    def cause(self) -> str:
        return str(self)
