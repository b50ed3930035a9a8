"""What screens are told of a campaign."""

from pathlib import Path

import pytest

from station.live import LineState
from tests.engine.nights import RUN, engine, until_over
from tests.engine.rack import make_rack, tell_of_returns

pytestmark = pytest.mark.trio


async def test_the_line_names_its_campaign_until_that_is_over(
    tmp_path: Path, tray_clock: object
) -> None:
    bench = make_rack(tmp_path, 1)
    await tell_of_returns(bench)
    async with engine(bench) as run:
        run.plug("A1")
        await run.ask(RUN)
        assert run.line.feed.line.campaign == "nightly"
        await until_over(run, bench)
        assert run.line.state is LineState.DISARMED
        assert run.line.feed.line.campaign is None
        await run.arm(expect="none")
        assert run.line.feed.line.campaign is None
