"""The error table: what operators are told must be complete and must not drift."""

from pathlib import Path

from station.errors import ConfigError, NoSigningKey, PackageMissing, all_errors, page


def test_the_page_for_operators_is_the_table() -> None:
    written = Path(__file__).parents[1].joinpath("deploy", "errors.md").read_text(encoding="utf-8")
    assert written == page(), (
        "deploy/errors.md is old; write it anew: "
        ".venv/bin/python -c 'from station.errors import page; print(page(), end=\"\")'"
    )


def test_codes_are_unique_and_every_headline_fits_the_tile() -> None:
    errors = list(all_errors())
    assert len({error.code for error in errors}) == len(errors) > 50
    for error in errors:
        assert 0 < len(error.headline) <= 18, error.code
        assert error.remedy.endswith("."), error.code


def test_a_remedy_fits_wherever_its_error_is_raised() -> None:
    """Settings have mistakes, too; a package may be asked for by a path; a key stays."""
    assert "recipe" not in ConfigError.remedy
    assert "recipe" not in PackageMissing.remedy
    assert "where there is none" in NoSigningKey.remedy
