"""A large file is asked for some way ahead of its reader, each part once."""

from pathlib import Path

from station.store.ahead import AHEAD_BYTES, STEP_BYTES, Ahead


def test_it_is_ahead_by_some_and_ends_with_the_file(tmp_path: Path) -> None:
    path, length_bytes = tmp_path / "large", 4 * AHEAD_BYTES + 5
    with path.open("wb") as file:
        file.truncate(length_bytes)
    with Ahead(path) as ahead:
        assert ahead.asked_bytes == 0
        for share in (0.0, 0.25, 0.2, 0.5):
            ahead.at(share)
            done_bytes = max(share, 0.25 if share else 0) * length_bytes
            assert 0 <= ahead.asked_bytes - done_bytes - AHEAD_BYTES <= STEP_BYTES
        ahead.at(1.0)
        assert 0 <= ahead.asked_bytes - length_bytes < STEP_BYTES


def test_without_a_file_it_does_nothing(tmp_path: Path) -> None:
    for path in (None, tmp_path / "none"):
        with Ahead(path) as ahead:
            ahead.at(1.0)
            assert ahead.asked_bytes == 0
