"""The command line: the composition root."""


def main() -> None:
    """Entry point of `station`."""
