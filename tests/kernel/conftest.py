"""The suite exists in the guest only; elsewhere nothing is collected, and nothing skipped."""

from pathlib import Path

import pytest

from tests.kernel.kernel import IN_GUEST
from tests.transport import patience

if IN_GUEST:
    patience.factor = 6.0  # its processor is played by another

collect_ignore_glob = [] if IN_GUEST else ["test_*.py"]

if IN_GUEST:
    from tests.programs import template

    template()


@pytest.fixture(scope="session")
def rig() -> Path:
    """The folder that guest and host share; what is left there outlives the guest."""
    return Path("/rig")
