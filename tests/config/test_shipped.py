"""The files that come with the station are good."""

from pathlib import Path

from station.config import check_recipes, load_recipes, load_settings

CONFIG = Path(__file__).parents[2] / "config"


def test_the_example_station() -> None:
    settings = load_settings(CONFIG / "station.yaml")
    assert [slot.name for slot in settings.slots] == ["A1", "A2", "A3", "A4"]
    assert settings.recipes == CONFIG / "recipes"
    names = {loaded.recipe.name for loaded in load_recipes(settings.recipes)}
    assert {slot.recipe for slot in settings.slots if slot.recipe} <= names


def test_the_example_recipes() -> None:
    assert check_recipes([CONFIG / "recipes"]) == []
    by_name = {loaded.recipe.name: loaded.recipe for loaded in load_recipes(CONFIG / "recipes")}
    assert sorted(by_name) == ["ec25-efa-r06a06", "rm500q-gl-r11a06"]
    for name, recipe in by_name.items():
        assert (CONFIG / "recipes" / f"{name}.yaml").is_file()
        assert recipe.downgrade == "refuse"
