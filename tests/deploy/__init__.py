"""What a line engineer installs: services, USB rights, the scripts that put them in place."""

from pathlib import Path

DEPLOY = Path(__file__).parents[2] / "deploy"
