"""Sound messages to begin with, made by the station's own composers and from literal bytes.

`python -m tests.fuzz.seeds` writes them to the corpus folders, beside what was found since.
"""

from pathlib import Path

from tests.fuzz.seeds_files import config_seeds, package_seeds, socket_seeds
from tests.fuzz.seeds_kept import kept_seeds
from tests.fuzz.seeds_wire import at_seeds, diag_seeds, firehose_seeds, sahara_seeds

CORPUS = Path(__file__).parent / "corpus"


def all_seeds() -> dict[str, dict[str, bytes]]:
    return {
        "sahara": sahara_seeds(),
        "firehose": firehose_seeds(),
        "diag": diag_seeds(),
        "at": at_seeds(),
        **package_seeds(),
        **config_seeds(),
        **socket_seeds(),
        **kept_seeds(),
    }


def write() -> None:
    for target, seeds in all_seeds().items():
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in seeds.items():
            (folder / name).write_bytes(data)


if __name__ == "__main__":
    write()
