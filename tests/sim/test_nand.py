import sys
import threading
from collections.abc import Iterator

import pytest

from station.sim.nand import Geometry, Nand, PageStore

GEOMETRY = Geometry(page_bytes=512, pages_per_block=4, blocks=8)


def page(text: str) -> bytes:
    return text.encode().ljust(512, b".")


def nand(*bad_blocks: int, store: PageStore | None = None) -> Nand:
    return Nand(GEOMETRY, store or PageStore(512), bad_blocks)


def test_a_page_is_programmed_once_per_erase() -> None:
    flash = nand()
    assert flash.read(5) == b"\xff" * 512
    assert flash.program(5, page("one"))
    assert not flash.program(5, page("two"))
    assert flash.read(5) == page("one")
    assert flash.erase(1, 1) == 1
    assert flash.program(5, page("two"))
    assert flash.read(5) == page("two")


def test_erase_skips_bad_blocks_and_stays_in_its_range() -> None:
    flash = nand(2)
    for number in (0, 4, 12, 16):
        flash.program(number, page("x"))
    assert flash.erase(1, 3) == 2
    assert [flash.is_erased(number) for number in (0, 4, 12, 16)] == [False, True, True, False]


def test_a_region_skips_bad_blocks_counted_from_its_first_block() -> None:
    flash = nand(2)
    assert list(flash.region(4, 8)) == [4, 5, 6, 7, 12, 13, 14, 15]
    assert list(flash.region(4, 8, raw=True)) == list(range(4, 12))
    assert list(flash.region(8, 4)) == [12, 13, 14, 15]
    assert list(flash.region(6, 4)) == [6, 7, 12, 13]


def test_a_region_ends_with_the_flash() -> None:
    assert list(nand(7).region(24, 100)) == [24, 25, 26, 27]


def test_raw_read_shows_the_data_behind_a_bad_block_one_block_later() -> None:
    flash = nand(1)
    flash.fill(0, b"".join(page(str(n)) for n in range(6)))
    raw = [flash.read(n) for n in flash.region(0, 10, raw=True)]
    assert raw[:4] == [page(str(n)) for n in range(4)]
    assert raw[4:8] == [b"\xff" * 512] * 4
    assert raw[8:] == [page("4"), page("5")]
    assert [flash.read(n) for n in flash.region(0, 6)] == [page(str(n)) for n in range(6)]


def test_a_bad_block_takes_no_page() -> None:
    assert not nand(1).program(4, page("x"))


def test_wrong_sizes_are_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="512 bytes"):
        nand().program(0, b"short")
    with pytest.raises(ValueError, match="another page size"):
        Nand(GEOMETRY, PageStore(1024))
    with pytest.raises(ValueError, match="do not fit"):
        nand().fill(28, bytes(5 * 512))


def test_adopt_copies_around_bad_blocks() -> None:
    store = PageStore(512)
    master, module = nand(store=store), nand(1, store=store)
    master.fill(0, b"".join(page(str(n)) for n in range(6)))
    module.adopt(master, 0, 6)
    assert [module.read(n) for n in module.region(0, 6)] == [page(str(n)) for n in range(6)]
    plain = nand(store=store)
    plain.adopt(master, 0, 5)
    assert plain.read(4) == page("4")
    assert plain.is_erased(5)


def test_the_fingerprint_follows_the_content() -> None:
    store = PageStore(512)
    one, two = nand(store=store), nand(store=store)
    one.program(4, page("x"))
    assert one.fingerprint(1, 1) != two.fingerprint(1, 1)
    two.program(4, page("x"))
    assert one.fingerprint(1, 1) == two.fingerprint(1, 1)
    assert one.fingerprint(0, 1) == two.fingerprint(2, 1)


def test_the_store_keeps_equal_pages_once_and_reads_back_what_it_spilled() -> None:
    store = PageStore(512, memory_bytes=3 * 512)
    numbers = [store.put(page(str(n))) for n in range(10)]
    assert numbers == list(range(1, 11))
    assert [store.put(page(str(n))) for n in range(10)] == numbers
    assert [store.get(number) for number in numbers] == [page(str(n)) for n in range(10)]


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Threads change places after every few bytecodes."""
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before_s)


def test_threads_may_share_the_store(eager_threads: None) -> None:
    store = PageStore(512, memory_bytes=1000 * 512)
    found: dict[int, list[tuple[int, bytes]]] = {}

    def fill(thread: int) -> None:
        pages = [page(f"{n if n % 3 else (thread, n)}") for n in range(1000)]
        found[thread] = [(store.put(data), data) for data in pages]

    threads = [threading.Thread(target=fill, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    every = [entry for entries in found.values() for entry in entries]
    assert len(every) == 4000
    assert all(store.get(number) == data for number, data in every)
    assert {number for number, _ in every} == set(range(1, len({data for _, data in every}) + 1))


class _Colliding(bytes):
    """A page whose hash is that of all others."""

    def __hash__(self) -> int:
        return 7


def test_pages_of_one_hash_are_kept_apart() -> None:
    store = PageStore(4, memory_bytes=8)
    pages = [_Colliding(bytes([number]) * 4) for number in range(5)]
    numbers = [store.put(page) for page in pages]
    assert numbers == [1, 2, 3, 4, 5]
    assert [store.put(page) for page in pages] == numbers
    assert [store.get(number) for number in numbers] == pages
