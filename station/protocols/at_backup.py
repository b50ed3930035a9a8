"""AT, host side: a Quectel module copies its calibration (EFS2) to a spare place of its own.

    host   AT+QPRTPARA=?     module  +QPRTPARA: (1-4)                what it offers
    host   AT+QPRTPARA=4     module  +QPRTPARA: 1,0,16,0,...         backups, restores, ...
    host   AT+QPRTPARA=1     module  OK                              the copy; wears the flash
    host   AT+QPRTPARA=4     module  +QPRTPARA: 2,0,16,0,...         the count is the proof

3 would put the copy back at the next boot, over what is there. It is not among the commands of
`station.protocols.at`, so nothing here can send it.

Ref: Quectel BG95&BG77&BG600L File System Backup Solution Application Note.
Quirks seen: other families offer fewer or more numbers, and tell more counts; the first two are
the same. The answer to 1 may take ten seconds and more.
"""

import re
from dataclasses import dataclass

from station.errors import AtError
from station.protocols.at import BACK_UP, AtChannel
from station.protocols.dialogue import Dialogue

_NEEDED = {1, 4}
_OFFER = re.compile(r"\+QPRTPARA: *\(([0-9, -]{1,64})\)")
_COUNTS = re.compile(r"\+QPRTPARA: *([0-9]{1,9}),([0-9]{1,9})(?:,|$)")


@dataclass(frozen=True, slots=True)
class BackupCount:
    """How often the module was backed up, and put back, in its life."""

    backups: int
    restores: int


def check_offer(channel: AtChannel, timeout_s: float) -> Dialogue[None]:
    """Raises AtError if the module does not offer to back itself up and to count it."""
    reply = yield from channel.ask("AT+QPRTPARA=?", timeout_s)
    told = " ".join(reply.lines)
    match = _OFFER.fullmatch(told)
    if match is None or _NEEDED - _numbers(match[1]):
        raise AtError(f"AT+QPRTPARA=? was answered {told[:80]!r}: 1 and 4 are not offered")


def read_count(channel: AtChannel, timeout_s: float) -> Dialogue[BackupCount]:
    """Raises AtError where the counts are refused or cannot be read."""
    reply = yield from channel.ask("AT+QPRTPARA=4", timeout_s)
    told = " ".join(reply.lines)
    match = _COUNTS.match(told)
    if match is None:
        raise AtError(f"AT+QPRTPARA=4 was answered {told[:80]!r}, which holds no counts")
    return BackupCount(int(match[1]), int(match[2]))


def back_up(channel: AtChannel, timeout_s: float) -> Dialogue[None]:
    """Told to back itself up, and told OK. What the module did, only its count proves. Its power
    must stay on meanwhile. Raises AtError, AtSilent."""
    yield from channel.ask(BACK_UP, timeout_s)


def _numbers(offer: str) -> set[int]:
    """Of `1-4` or `1,3,4`."""
    found: set[int] = set()
    for part in re.findall(r"([0-9]{1,2})(?: *- *([0-9]{1,2}))?", offer):
        first, last = int(part[0]), int(part[1] or part[0])
        found.update(range(first, last + 1))
    return found
