"""What all tests share."""

import gc


def pytest_collection_finish() -> None:
    """What was imported and collected stays; nobody need look through it for garbage again."""
    gc.collect()
    gc.freeze()
