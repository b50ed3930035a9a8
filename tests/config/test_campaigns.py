"""Campaigns as people write them."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from station.config import check_policies, load_policy, load_settings, parse_policy, stops_utc_us
from station.config.campaigns import Policy
from station.errors import ConfigError, UsageError

CONFIG = Path(__file__).parents[2] / "config"
PLAIN = 'name: nightly\nrecipes: [a]\nstop_at: "05:30"\n'


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def told(text: str) -> str:
    """What is said of a campaign's file with this text."""
    with pytest.raises(ConfigError) as refused:
        parse_policy(Path("nightly.yaml"), text.encode())
    return refused.value.cause


def test_the_example_that_comes_with_the_station() -> None:
    settings = load_settings(CONFIG / "station.yaml")
    loaded = load_policy(settings.campaigns, "nightly")
    assert loaded.policy.recipes == ("ec25-efa-r06a06",)
    assert loaded.policy.stop_at == "05:30"
    assert loaded.text == (CONFIG / "campaigns" / "nightly.yaml").read_text()
    assert check_policies(settings.campaigns, settings.recipes) == []
    written = yaml.safe_load(loaded.text)
    assert set(written) == set(Policy.model_fields), "the example shows every key"


def test_what_is_left_out_is_careful() -> None:
    policy = parse_policy(Path("nightly.yaml"), PLAIN.encode()).policy
    assert policy.units.known
    assert policy.resume == "certain"
    assert (policy.groups.first, policy.groups.good_percent) == (4, 75)
    assert policy.breaker.on_a_slot == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (PLAIN + "unit: {}\n", "nightly.yaml:4: key 'unit': is not known here (nearest key: "),
        (PLAIN + "units: {from: [A]}\n", "key 'units.from': is not known here"),
        (PLAIN.replace('"05:30"', "05:30"), "key 'stop_at': unquoted 05:30 is read as"),
        (PLAIN.replace("05:30", "24:00"), 'nightly.yaml:3: key \'stop_at\': must be a time of day'),
        (PLAIN.replace("stop_at", "#"), "key 'stop_at': is missing"),
        (PLAIN.replace("[a]", "[]"), "key 'recipes': needs at least 1 entry"),
        (PLAIN.replace("[a]", "[a, a]"), "key 'recipes[1]': the recipe 'a' is listed twice"),
        (PLAIN.replace("nightly", "other"), "key 'name': must be the file's name"),
        (PLAIN + "resume: always\n", "key 'resume': must be 'certain', 'same_slot' or 'never'"),
        (PLAIN + "limits: {attempts: 6}\n", "key 'limits.attempts': must be at most 5"),
        (PLAIN + "limits: {at_once: 0}\n", "key 'limits.at_once': must be at least 1"),
        (PLAIN + "groups: {good_percent: 101}\n", "must be at most 100"),
        (PLAIN + "breaker: {window: 5, minimum: 6}\n", "minimum 6 is more than the window of 5"),
        (PLAIN + "breaker: {in_a_row: 1}\n", "must be at least 2"),
        (PLAIN + "units: {tac: [86343605]}\n", "key 'units.tac[0]'"),
        (PLAIN + 'units: {sku: ["ec25*"]}\n', "a pattern has capitals"),
        (PLAIN + "order: [slot]\n", "key 'order'"),
        ("[]\n", "must be a group of keys"),
        ("", "the file is empty"),
    ],
)  # fmt: skip
def test_a_mistake_names_its_place(text: str, words: str) -> None:
    assert words in told(text)


def test_the_recipes_of_a_campaign_are_there(tmp_path: Path) -> None:
    recipes = CONFIG / "recipes"
    names = "[ec25-efa-r06a06, ec25-efa-r06a07, nosuch]"
    policy = tmp_path / "nightly.yaml"
    policy.write_text(PLAIN.replace("[a]", names))
    assert check_policies(tmp_path, recipes) == [
        f"{policy}:2: key 'recipes[1]': there is no recipe 'ec25-efa-r06a07'"
        " (nearest: 'ec25-efa-r06a06')",
        f"{policy}:2: key 'recipes[2]': there is no recipe 'nosuch'",
    ]


def test_recipes_that_cannot_be_read_are_problems_of_their_own(tmp_path: Path) -> None:
    recipes, policies = tmp_path / "recipes", tmp_path / "campaigns"
    recipes.mkdir()
    policies.mkdir()
    (recipes / "a.yaml").write_text("name: [\n")
    (policies / "nightly.yaml").write_text(PLAIN)
    (problem,) = check_policies(policies, recipes)
    assert str(recipes / "a.yaml") in problem
    (problem,) = check_policies(policies, tmp_path / "nowhere")
    assert "the recipe folder cannot be read" in problem


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_whatever_lies_there_is_refused_in_words(content: str | bytes) -> None:
    data = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    with pytest.raises(ConfigError):
        parse_policy(Path("nightly.yaml"), data)


@pytest.mark.parametrize("name", ["../station", "/etc/passwd", "", "a/b", ".", "x" * 65, "a\n"])
def test_a_name_cannot_leave_the_folder(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a campaign's name"):
        load_policy(CONFIG / "campaigns", name)


def test_a_name_that_none_has_is_told_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nearest: 'nightly'"):
        load_policy(CONFIG / "campaigns", "nightli")
    with pytest.raises(UsageError, match="there are: none"):
        load_policy(tmp_path, "nightly")
    with pytest.raises(ConfigError, match="the campaign folder cannot be read"):
        load_policy(tmp_path / "nowhere", "nightly")


@pytest.mark.parametrize(
    ("began", "stops"),
    [
        ("2026-11-27T20:00", "2026-11-28T04:30"),  # 21:00 local, winter
        ("2026-11-28T04:29", "2026-11-28T04:30"),
        ("2026-11-28T04:30", "2026-11-29T04:30"),
        ("2026-03-28T20:00", "2026-03-29T03:30"),  # the night in which an hour is left out
        ("2026-10-24T19:00", "2026-10-25T04:30"),  # the night in which one comes twice
    ],
)
def test_the_stop_is_by_the_clock_on_the_wall(berlin: None, began: str, stops: str) -> None:
    policy = parse_policy(Path("nightly.yaml"), PLAIN.encode()).policy
    assert stops_utc_us(policy, utc_us(began)) == utc_us(stops)


@pytest.mark.parametrize(
    ("began", "stops"),
    [
        ("2026-10-24T20:00", "2026-10-25T00:30"),  # the first time that it is 02:30
        ("2026-10-25T00:30", "2026-10-25T01:30"),
        ("2026-10-25T01:10", "2026-10-25T01:30"),  # it is 02:10 for the second time
        ("2026-10-25T01:30", "2026-10-26T01:30"),
        ("2026-03-28T20:00", "2026-03-29T00:30"),  # it is never 02:30: at 01:30
        ("2026-03-29T00:45", "2026-03-29T01:30"),  # at 03:30
    ],
)
def test_a_stop_in_the_hour_that_comes_twice_or_never(berlin: None, began: str, stops: str) -> None:
    policy = parse_policy(Path("nightly.yaml"), PLAIN.replace("05:30", "02:30").encode()).policy
    assert stops_utc_us(policy, utc_us(began)) == utc_us(stops)


def utc_us(moment: str) -> int:
    return round(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()) * 1_000_000
