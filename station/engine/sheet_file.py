"""The morning sheet on the disk: whole or not at all, as HTML and as text beside it."""

import os
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile

import trio

from station.config import Settings
from station.disk import Disk
from station.durable import sync_folder
from station.engine.sheet import sheet_of
from station.engine.sheet_words import sheet_html, sheet_text
from station.errors import SheetNotWritten
from station.store.campaigns import CampaignStory

WRITE_S = 60.0
"""A folder on a server that does not answer is given up; the sheet can be had any time."""


async def write_sheet(settings: Settings, story: CampaignStory) -> Path:
    """The HTML file's path. Raises SheetNotWritten."""
    write = partial(write_sheet_blocking, settings, story)
    try:
        return await Disk().ask(write, WRITE_S)
    except trio.TooSlowError:
        raise SheetNotWritten(f"{settings.sheets} did not answer within {WRITE_S:g} s") from None


def write_sheet_blocking(settings: Settings, story: CampaignStory) -> Path:
    """Raises SheetNotWritten."""
    sheet = sheet_of(story, settings.rows)
    path = settings.sheets / f"{story.begun.name}-{story.begun.campaign_id}.html"
    try:
        settings.sheets.mkdir(mode=0o750, parents=True, exist_ok=True)
        put_whole(path.with_suffix(".txt"), sheet_text(sheet))
        put_whole(path, sheet_html(sheet))
        sync_folder(settings.sheets)
    except OSError as error:
        raise SheetNotWritten(f"{path}: {error.strerror or error}") from error
    return path


def put_whole(path: Path, text: str) -> None:
    """Whoever looks sees the old file or the new one. Raises OSError."""
    with NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as draft:
        try:
            draft.write(text)
            draft.flush()
            os.fsync(draft.fileno())
            Path(draft.name).chmod(0o640)
            Path(draft.name).replace(path)
        except BaseException:
            Path(draft.name).unlink(missing_ok=True)
            raise
