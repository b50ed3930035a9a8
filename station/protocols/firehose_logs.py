"""What a Firehose programmer tells only in its log lines: its functions, its flash memory.

    SDX55   INFO: Supported Functions (15):
            INFO: program            one line per function
            INFO: End of supported functions 15
    9x07    INFO: Supported Functions: program configure power benchmark read ...
    any     INFO: {"storage_info": {"total_blocks":2048, "block_size":131072, ...}}

Ref: linux-msm/qdl firehose.c; QFirehose firehose_protocol.c (waits up to 3 s for the first
line, then for 1 s of silence); fwupd fu-qc-firehose-impl.c.
"""

import json
import re
from dataclasses import dataclass

from station.errors import FirehoseError

_FUNCTIONS_MAX = 64
_JSON_CHARS = 4096
_NUMBER_MAX = 1 << 40

_KNOWN = frozenset({
    "program", "read", "nop", "patch", "configure", "setbootablestoragedrive", "erase", "power",
    "firmwarewrite", "getstorageinfo", "benchmark", "emmc", "ufs", "fixgpt", "getsha256digest",
})  # fmt: skip
_LIST = re.compile(r"supported functions\s*(?:\(\d+\))?\s*:(.*)", re.IGNORECASE)
_FUNCTION = re.compile(r"[A-Za-z]\w{0,39}", re.ASCII)


class Banner:
    """Reads the start-up lines one by one; `complete` once the list of functions has ended."""

    def __init__(self) -> None:
        self.complete = False
        self._listing = False
        self._functions: set[str] = set()

    @property
    def functions(self) -> frozenset[str]:
        return frozenset(self._functions)

    def read(self, text: str) -> None:
        line = text.removeprefix("INFO:").strip()
        if "end of supported functions" in line.lower():
            self.complete = True
        elif header := _LIST.search(line):
            words = _words(header.group(1))
            self._add(words)
            self.complete, self._listing = bool(words), not words
        elif self._listing:
            self._add([line])
        elif len(words := _words(line)) >= 4 and _KNOWN.issuperset(words):
            self._add(words)
            self.complete = True

    def _add(self, words: list[str]) -> None:
        for word in words:
            if _FUNCTION.fullmatch(word) and len(self._functions) < _FUNCTIONS_MAX:
                self._functions.add(word.lower())


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


@dataclass(frozen=True, slots=True)
class StorageInfo:
    """The flash memory as the programmer sees it; NAND: pages are the sectors of the commands."""

    total_blocks: int
    block_size_bytes: int
    page_size_bytes: int
    num_physical: int | None
    mem_type: str
    prod_name: str

    @property
    def pages_per_block(self) -> int:
        return self.block_size_bytes // self.page_size_bytes

    @property
    def total_sectors(self) -> int:
        return self.total_blocks * self.pages_per_block


def find_storage_info(text: str) -> StorageInfo | None:
    """The storage report in a log line; None for any other line.

    Raises FirehoseError for a report that is damaged or makes no sense.
    """
    if '"storage_info"' not in text:
        return None
    begin = max(text.find("{"), 0)
    try:
        report, _ = json.JSONDecoder().raw_decode(text[begin : begin + _JSON_CHARS])
    except (ValueError, RecursionError):
        raise FirehoseError(f"the storage report is damaged: {text[begin : begin + 80]}") from None
    facts = report.get("storage_info") if isinstance(report, dict) else None
    if not isinstance(facts, dict):
        raise FirehoseError("the storage report holds no facts")
    return _storage_info(facts)


def _storage_info(facts: dict[str, object]) -> StorageInfo:
    page_size_bytes = _number(facts, "page_size")
    block_size_bytes = _number(facts, "block_size")
    if block_size_bytes < page_size_bytes:  # no block is smaller than its page: it counts pages
        block_size_bytes *= page_size_bytes
    if block_size_bytes % page_size_bytes:
        raise FirehoseError(
            f"the storage report has blocks of {block_size_bytes} bytes"
            f" that are no whole pages of {page_size_bytes}"
        )
    return StorageInfo(
        total_blocks=_number(facts, "total_blocks"),
        block_size_bytes=block_size_bytes,
        page_size_bytes=page_size_bytes,
        num_physical=_number(facts, "num_physical") if "num_physical" in facts else None,
        mem_type=_word(facts, "mem_type"),
        prod_name=_word(facts, "prod_name"),
    )


def _number(facts: dict[str, object], name: str) -> int:
    value = facts.get(name)
    if type(value) is not int or not 0 < value < _NUMBER_MAX:
        raise FirehoseError(f"the storage report has no usable {name}: {str(value)[:40]}")
    return value


def _word(facts: dict[str, object], name: str) -> str:
    value = facts.get(name, "")
    return value[:64] if isinstance(value, str) else ""
