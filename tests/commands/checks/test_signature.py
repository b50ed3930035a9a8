"""Whether the record is signed, and whether that is seen elsewhere."""

import pytest

from station.commands.checks.finding import Grade
from station.commands.checks.signature import signature
from station.config import load_settings
from station.seal.keys import make_key
from station.seal.published import publish
from tests.commands.checks.conftest import Machine, found, only
from tests.store.samples import attempt, flashed, written


def test_without_a_key(machine: Machine) -> None:
    finding = only(signature, machine)
    assert (finding.grade, finding.what) == (Grade.WARN, "the record is not signed")
    assert "station audit key" in finding.remedy


def test_a_key_that_others_can_read(machine: Machine) -> None:
    key = load_settings(machine.config).key
    make_key(key)
    key.chmod(0o644)
    finding = only(signature, machine)
    assert finding.grade is Grade.BAD
    assert "can be read by others" in finding.why


@pytest.mark.parametrize(
    ("publish", "grade"),
    [(None, Grade.WARN), ("gone/seen.jsonl", Grade.BAD), ("seen.jsonl", Grade.OK)],
)
def test_where_it_is_published(machine: Machine, publish: str | None, grade: Grade) -> None:
    make_key(load_settings(machine.config).key)
    if publish is not None:
        with machine.config.open("a") as file:
            file.write(f"audit: {{publish: {publish}}}\n")
    signed, published = found(signature, machine)
    assert (signed.grade, published.grade) == (Grade.OK, grade)


def test_a_file_that_is_gone_after_the_record_was_signed(machine: Machine) -> None:
    with machine.config.open("a") as file:
        file.write("audit: {publish: seen.jsonl}\n")
    settings = load_settings(machine.config)
    key = make_key(settings.key)
    name = settings.station.name
    flashed(settings.database, attempt(station=name))
    signed = written(settings.database, lambda store: store.sign(name, key, "rows"))
    assert signed is not None
    _, published = found(signature, machine)
    assert published.grade is Grade.BAD
    assert "touch" in published.remedy
    publish(signed, settings.path.with_name("seen.jsonl"))
    _, published = found(signature, machine)
    assert published.grade is Grade.OK
