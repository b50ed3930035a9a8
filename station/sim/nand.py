"""NAND flash as a programmer sees it: pages, erase blocks, bad blocks.

A page is programmed once after each erase of its block. Bad blocks are skipped: the data of a
region continues in the next good block, counted from the region's first block. A read follows
the same mapping ("skip") or the physical one ("raw"), in which a bad block reads as 0xFF and
everything behind it appears one block later.

Memory stays flat: modules of a tray hold page numbers of a shared `PageStore`, which keeps each
distinct page once and moves to an unnamed temporary file when it grows.
"""

import os
import tempfile
import threading
import weakref
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice

STORE_MEMORY_BYTES = 32 << 20


class PageStore:
    """Distinct pages by number; number 0 is never given out. Keeps every page it was shown.

    Any thread may use it: the modules of a tray share one, and a transport may run each module
    in a thread of its own.
    """

    def __init__(self, page_bytes: int, memory_bytes: int = STORE_MEMORY_BYTES) -> None:
        self.page_bytes = page_bytes
        self._numbers: dict[int, int] = {}
        self._held: list[bytes] = []
        self._held_max = max(1, memory_bytes // page_bytes)
        self._file: int | None = None
        self._adding = threading.Lock()

    def put(self, page: bytes) -> int:
        """The number under which exactly this page can be read again."""
        return self._numbered(page) or self._add(page)

    def _numbered(self, page: bytes) -> int:
        """Its number, or 0. Pages of the same hash lie at the places behind it."""
        place = hash(page)
        while number := self._numbers.get(place, 0):
            if self.get(number) == page:
                break
            place += 1
        return number

    def _add(self, page: bytes) -> int:
        """The number appears last: whoever finds it can read the page."""
        with self._adding:
            number = self._numbered(page)
            if not number:
                number = len(self._numbers) + 1
                if number <= self._held_max:
                    self._held.append(bytes(page))
                else:
                    os.pwrite(self._spill(), page, self._offset(number))
                place = hash(page)
                while place in self._numbers:
                    place += 1
                self._numbers[place] = number
        return number

    def get(self, number: int) -> bytes:
        if number <= self._held_max:
            return self._held[number - 1]
        return os.pread(self._spill(), self.page_bytes, self._offset(number))

    def _offset(self, number: int) -> int:
        return (number - self._held_max - 1) * self.page_bytes

    def _spill(self) -> int:
        if self._file is None:
            self._file, path = tempfile.mkstemp(prefix="station-sim-")
            os.unlink(path)  # noqa: PTH108 - the descriptor is all that is kept of it
            weakref.finalize(self, os.close, self._file)
        return self._file


@dataclass(frozen=True, slots=True)
class Geometry:
    """One sector is one page."""

    page_bytes: int
    pages_per_block: int
    blocks: int

    @property
    def pages(self) -> int:
        return self.blocks * self.pages_per_block

    @property
    def block_bytes(self) -> int:
        return self.page_bytes * self.pages_per_block


class Nand:
    """The flash of one module, erased at first. Page numbers are physical."""

    def __init__(
        self, geometry: Geometry, store: PageStore, bad_blocks: Iterable[int] = ()
    ) -> None:
        if store.page_bytes != geometry.page_bytes:
            raise ValueError("the page store is made for another page size")
        self.geometry = geometry
        self.bad_blocks = frozenset(bad_blocks)
        self._store = store
        self._pages = array("I", bytes(array("I").itemsize * geometry.pages))
        self._prints: dict[tuple[int, int], bytes] = {}
        """Fingerprints that were asked for since it was last written."""

    def block_is_bad(self, block: int) -> bool:
        return block in self.bad_blocks

    def erase(self, start_block: int, blocks: int) -> int:
        """Erase the good blocks of this physical range; how many they were."""
        per_block = self.geometry.pages_per_block
        blank = array("I", bytes(self._pages.itemsize * per_block))
        good = [
            block
            for block in range(start_block, start_block + blocks)
            if not self.block_is_bad(block)
        ]
        self._prints.clear()
        for block in good:
            self._pages[block * per_block : (block + 1) * per_block] = blank
        return len(good)

    def region(self, start_page: int, pages: int, *, raw: bool = False) -> Iterator[int]:
        """Physical page numbers of a region in its order; fewer if the flash ends before."""
        per_block = self.geometry.pages_per_block
        first_block, skipped = divmod(start_page, per_block)
        usable = (
            page
            for block in range(first_block, self.geometry.blocks)
            if raw or not self.block_is_bad(block)
            for page in range(block * per_block, (block + 1) * per_block)
        )
        return islice(usable, skipped, skipped + pages)

    def is_erased(self, page: int) -> bool:
        return self._pages[page] == 0

    def program(self, page: int, data: bytes) -> bool:
        """Write one whole page; False, and nothing done, where it was not erased or is bad."""
        if len(data) != self.geometry.page_bytes:
            raise ValueError(f"a page has {self.geometry.page_bytes} bytes, not {len(data)}")
        if not self.is_erased(page) or self.block_is_bad(page // self.geometry.pages_per_block):
            return False
        self._prints.clear()
        self._pages[page] = self._store.put(data)
        return True

    def read(self, page: int) -> bytes:
        number = self._pages[page]
        return self._store.get(number) if number else b"\xff" * self.geometry.page_bytes

    def fill(self, start_page: int, data: bytes) -> None:
        """Write `data` as the erased region that begins at `start_page`, the last page padded
        with zeros. Raises ValueError where it does not fit."""
        size = self.geometry.page_bytes
        count = -(-len(data) // size)
        written = [
            self.program(page, data[place * size : (place + 1) * size].ljust(size, b"\0"))
            for place, page in enumerate(self.region(start_page, count))
        ]
        if len(written) != count or not all(written):
            raise ValueError(f"{count} pages do not fit behind page {start_page}")

    def adopt(self, other: "Nand", start_page: int, pages: int) -> None:
        """Take over a region of another flash with the same store, around our own bad blocks."""
        self._prints.clear()
        if not self.bad_blocks and not other.bad_blocks:
            end = start_page + pages
            self._pages[start_page:end] = other._pages[start_page:end]
            return
        theirs = other.region(start_page, pages)
        for mine, their in zip(self.region(start_page, pages), theirs, strict=False):
            self._pages[mine] = other._pages[their]

    def fingerprint(self, start_block: int, blocks: int) -> bytes:
        """Equal exactly while the physical content of these blocks is equal (one store)."""
        place = start_block, blocks
        if place not in self._prints:
            per_block = self.geometry.pages_per_block
            content = self._pages[start_block * per_block : (start_block + blocks) * per_block]
            self._prints[place] = blake2b(content.tobytes()).digest()
        return self._prints[place]
