"""Settings, families and recipes as people write them: YAML in, frozen models out.

Every complaint is a `ConfigError` whose cause has a line per problem:
``file:line: key 'x.y': what is wrong (nearest key: 'z')``.
"""

from station.config.campaigns import (
    CampaignBreaker,
    LoadedPolicy,
    Policy,
    check_policies,
    load_policy,
    parse_policy,
    stops_utc_us,
)
from station.config.families import Families, Family, load_families
from station.config.recipe_files import check_recipes, load_recipe, load_recipes
from station.config.recipes import (
    Firmware,
    Limits,
    LoadedRecipe,
    Match,
    QuectelEdlRecipe,
    QuectelFirmware,
    Recipe,
    RecipeBase,
)
from station.config.settings import (
    Settings,
    StationSection,
    find_config,
    load_settings,
    load_settings_to_learn,
)
from station.config.slot_map import HubMark, SlotMap, load_slot_map, slot_map_text
from station.config.strict import Strict, nearest

__all__ = [
    "CampaignBreaker",
    "Families",
    "Family",
    "Firmware",
    "HubMark",
    "Limits",
    "LoadedPolicy",
    "LoadedRecipe",
    "Match",
    "Policy",
    "QuectelEdlRecipe",
    "QuectelFirmware",
    "Recipe",
    "RecipeBase",
    "Settings",
    "SlotMap",
    "StationSection",
    "Strict",
    "check_policies",
    "check_recipes",
    "find_config",
    "load_families",
    "load_policy",
    "load_recipe",
    "load_recipes",
    "load_settings",
    "load_settings_to_learn",
    "load_slot_map",
    "nearest",
    "parse_policy",
    "slot_map_text",
    "stops_utc_us",
]
