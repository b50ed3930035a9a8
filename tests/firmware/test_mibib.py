"""MIBIB: the literal bytes of a real table, copies in a raw dump, hostile tables."""

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.errors import PackageIncomplete
from station.firmware.mibib import (
    Partition,
    PartitionTable,
    compose_partition_table,
    find_partition_table,
    parse_partition_table,
)

PAGE = 2048

# The first pages of an EG25-G partition table, cut to five of its seventeen partitions.
HEADER = bytes.fromhex("ac9f56fe7a127fcd 04000000 01000000").ljust(PAGE, b"\xff")
TABLE = bytes.fromhex(
    "aa73ee55dbbd5ee3 04000000 05000000"
    "303a53424c0000000000000000000000 00000000 0a000000 ff010000"
    "303a4d49424942000000000000000000 0a000000 0a000000 ff01ff00"
    "303a4546533200000000000000000000 14000000 88000000 ff01ff00"
    "303a52415744415441 00000000000000 c4000000 0a000000 ff010000"
    "303a73797374656d0000000000000000 b2050000 ffffffff ff010000"
).ljust(PAGE, b"\xff")

PARTITIONS = (
    Partition("SBL", 0x00, 0x0A),
    Partition("MIBIB", 0x0A, 0x0A),
    Partition("EFS2", 0x14, 0x88),
    Partition("RAWDATA", 0xC4, 0x0A),
    Partition("system", 0x5B2, None),
)


def entry(name: bytes, start: int, length: int) -> bytes:
    place = start.to_bytes(4, "little") + length.to_bytes(4, "little")
    return name.ljust(16, b"\0") + place + b"\xff\x01\x00\x00"


def table(*entries: bytes, count: int | None = None) -> bytes:
    number = len(entries) if count is None else count
    head = bytes.fromhex("aa73ee55dbbd5ee304000000") + number.to_bytes(4, "little")
    return HEADER + (head + b"".join(entries)).ljust(PAGE, b"\xff")


def aged(age: int, *partitions: Partition) -> bytes:
    return compose_partition_table(partitions or PARTITIONS, PAGE, age=age)


def test_literal_bytes_are_read() -> None:
    assert parse_partition_table(HEADER + TABLE, PAGE) == PartitionTable(PARTITIONS)


def test_literal_bytes_are_written() -> None:
    assert compose_partition_table(PARTITIONS, PAGE) == HEADER + TABLE


def test_what_follows_the_table_is_no_matter() -> None:
    file = HEADER + TABLE + bytes.fromhex("9a1b7daabc487d1f").ljust(PAGE, b"\xff")
    assert parse_partition_table(file, PAGE) == PartitionTable(PARTITIONS)


def test_partitions_by_name_and_by_block() -> None:
    found = parse_partition_table(HEADER + TABLE, PAGE)
    assert found.named("efs2") == PARTITIONS[2]
    assert found.named("EFS") is None
    assert found.at(0x14) == PARTITIONS[2]
    assert found.at(0x9B) == PARTITIONS[2]
    assert found.at(0x9C) is None
    assert found.at(1 << 20) == PARTITIONS[4]


def test_the_other_page_size_does_not_fit() -> None:
    with pytest.raises(PackageIncomplete, match=r"pages of 4096 bytes .* no MIBIB"):
        parse_partition_table((HEADER + TABLE) * 2, 4096)


@pytest.mark.parametrize("page_size_bytes", [0, -1, 1, 512, 1 << 20])
def test_absurd_page_sizes(page_size_bytes: int) -> None:
    for read in (parse_partition_table, find_partition_table):
        with pytest.raises(PackageIncomplete, match="no flash has pages"):
            read(HEADER + TABLE, page_size_bytes)


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "cut off after 0 bytes"),
        (HEADER, "cut off after 2048 bytes"),
        (HEADER + TABLE[:15], "cut off after 2063 bytes"),
        (HEADER + TABLE[:40], "claims 5 partitions"),
        (TABLE + HEADER, "no MIBIB"),
        (table(), "claims 0 partitions"),
        (table(count=73), "claims 73 partitions"),
        (table(count=0xFFFFFFFF), "claims 4294967295"),
        (table(entry(b"0:", 0, 1)), "is not a partition name"),
        (table(entry(b"0:a\x1bb", 0, 1)), "is not a partition name"),
        (table(entry(b"0:a\0b", 0, 1)), "is not a partition name"),
        (table(entry(b"0:EFS2", 20, 0)), "EFS2 has 0 blocks from block 20"),
        (table(entry(b"0:EFS2", 20, 0xFFFFFFFE)), "EFS2 has 4294967294 blocks"),
        (table(entry(b"0:EFS2", 0xFFFFFFFF, 1)), "EFS2 has 1 blocks from block 4294967295"),
        (table(entry(b"0:EFS2", 1 << 24, 0xFFFFFFFF)), "EFS2 begins at block 16777216"),
        (table(entry(b"0:EFS2", 0, 1), entry(b"0:efs2", 9, 1)), "efs2 is named twice"),
        (table(entry(b"0:EFS2", 0, 9), entry(b"0:TZ", 8, 9)), "EFS2 and TZ overlap"),
        (table(entry(b"0:TZ", 8, 9), entry(b"0:EFS2", 0, 9)), "EFS2 and TZ overlap"),
        (table(entry(b"0:a", 0, 0xFFFFFFFF), entry(b"0:b", 900, 1)), "a and b overlap"),
    ],
)
def test_damaged_and_hostile_tables(data: bytes, cause: str) -> None:
    with pytest.raises(PackageIncomplete, match=cause):
        parse_partition_table(data, PAGE)


def test_the_fullest_table_is_read() -> None:
    entries = [entry(b"0:p%d" % number, number, 1) for number in range(72)]
    assert len(parse_partition_table(table(*entries), PAGE).partitions) == 72


# --- raw dumps --------------------------------------------------------------------------------

BLANK = b"\xff" * PAGE


def test_a_table_anywhere_in_the_region_is_found() -> None:
    region = BLANK * 64 + HEADER + TABLE + BLANK * 62
    assert find_partition_table(region, PAGE) == PartitionTable(PARTITIONS)


def test_the_highest_age_wins_wherever_it_lies() -> None:
    older, newer = (Partition("SBL", 0, 8),), (Partition("SBL", 0, 10),)
    for region in (aged(7, *older) + aged(8, *newer), aged(8, *newer) + aged(7, *older)):
        assert find_partition_table(region, PAGE) == PartitionTable(newer)


def test_of_equal_ages_the_last_copy_wins() -> None:
    region = aged(3, Partition("a", 0, 1)) + aged(3, Partition("b", 0, 1))
    assert find_partition_table(region, PAGE).named("b")


def test_damaged_and_cut_copies_are_passed_over() -> None:
    damaged = aged(9).replace(b"0:EFS2", b"\0:EFS2")
    region = aged(2) + damaged + BLANK + HEADER
    assert find_partition_table(region, PAGE) == PartitionTable(PARTITIONS)


def test_a_copy_that_does_not_begin_at_a_page_does_not_count() -> None:
    with pytest.raises(PackageIncomplete, match="none in 6144 bytes"):
        find_partition_table(b"\xff" * 1024 + HEADER + TABLE + b"\xff" * 1024, PAGE)


@pytest.mark.parametrize("region", [b"", BLANK, BLANK * 128, HEADER, HEADER + BLANK])
def test_no_table_at_all(region: bytes) -> None:
    with pytest.raises(PackageIncomplete, match="partition table: none"):
        find_partition_table(region, PAGE)


# --- composing --------------------------------------------------------------------------------


def test_what_does_not_fit_is_not_written() -> None:
    with pytest.raises(ValueError, match="do not fit one page"):
        compose_partition_table([Partition(f"p{n}", n, 1) for n in range(73)], PAGE)
    with pytest.raises(ValueError, match="too long"):
        compose_partition_table([Partition("fifteen_letters", 0, 1)], PAGE)


# --- properties -------------------------------------------------------------------------------


@st.composite
def tables(draw: st.DrawFn) -> tuple[Partition, ...]:
    lengths = draw(st.lists(st.integers(1, 5000), min_size=1, max_size=40))
    starts = [sum(lengths[:n]) + n for n in range(len(lengths))]
    partitions = [
        Partition(f"p{n}", start, length)
        for n, (start, length) in enumerate(zip(starts, lengths, strict=True))
    ]
    if draw(st.booleans()):
        partitions[-1] = Partition("last", starts[-1], None)
    return tuple(draw(st.permutations(partitions)))


@given(tables(), st.sampled_from([2048, 4096]), st.integers(0, 0xFFFFFFFF))
def test_round_trip(partitions: tuple[Partition, ...], page: int, age: int) -> None:
    data = compose_partition_table(partitions, page, age=age)
    assert parse_partition_table(data, page) == PartitionTable(partitions)
    assert find_partition_table(b"\xff" * page + data, page) == PartitionTable(partitions)


@given(st.binary(max_size=300), st.integers(0, 20), st.integers(0, 2))
def test_valid_header_and_any_body(body: bytes, count: int, blank_pages: int) -> None:
    data = HEADER + bytes.fromhex("aa73ee55dbbd5ee304000000") + count.to_bytes(4, "little") + body
    for region in (data, data.ljust(2 * PAGE, b"\0"), BLANK * blank_pages + data):
        for read in (parse_partition_table, find_partition_table):
            with suppress(PackageIncomplete):
                _assert_sane(read(region, PAGE))


@given(st.binary(max_size=100), st.integers(0, 2 * PAGE))
def test_a_table_with_junk_in_it(junk: bytes, at: int) -> None:
    data = bytearray(HEADER + TABLE)
    data[at : at + len(junk)] = junk
    for read in (parse_partition_table, find_partition_table):
        with suppress(PackageIncomplete):
            _assert_sane(read(bytes(data), PAGE))


def _assert_sane(found: PartitionTable) -> None:
    names = [p.name.casefold() for p in found.partitions]
    assert names
    assert len(set(names)) == len(names)
    assert all(name.isascii() and name.isprintable() for name in names)
    ordered = sorted(found.partitions, key=lambda p: p.start_block)
    for before, after in pairwise(ordered):
        assert before.num_blocks is not None
        assert before.start_block + before.num_blocks <= after.start_block
