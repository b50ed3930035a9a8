"""pytest in the guest, without what takes ten seconds to import here and is not used."""

import sys

import pytest

UNUSED = {"hypothesis", "_hypothesis_pytestplugin", "xdist", "pytest_cov"}
WITHOUT = ("cacheprovider", "hypothesispytest", "xdist", "xdist.looponfail", "pytest_cov")


class _NotHere:
    """Says to whoever imports one of them, if it can, that it is not installed."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:  # noqa: ARG004 - its protocol
        if name.partition(".")[0] in UNUSED:
            raise ModuleNotFoundError(name)


if __name__ == "__main__":
    sys.meta_path.insert(0, _NotHere)
    options = [word for name in WITHOUT for word in ("-p", f"no:{name}")]
    sys.exit(pytest.main([*options, *sys.argv[1:]]))
