"""Commands that are loaded when they are asked for: imports are most of a short command's time."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup


class LazyGroup(TyperGroup):
    """A group whose commands are in modules of their own: `MODULES` says in which.

    Each has an `app`: the group of that name, or one that the command of that name is in.
    """

    MODULES: ClassVar[Mapping[str, str]] = {}

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002 - click's signature; typer has a click of its own
        return list(self.MODULES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401, ARG002 - as above
        if cmd_name not in self.MODULES:
            return None
        group = typer.main.get_group(import_module(self.MODULES[cmd_name]).app)
        command = group.commands.get(cmd_name, group)
        command.name = cmd_name
        return command
