"""The morning sheet as text and as one HTML page. Pure; everything shown is made printable first.

The page has no script and asks for nothing from elsewhere. A rack of 32 fits on one sheet of A4,
in as many columns as it likes: lists and texts that could grow are cut, the text has them whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

from station.engine.feed import plain
from station.engine.sheet import SLOWEST, Cell, Sheet, SlowStep
from station.store.yields import Rate

LOW, HIGH = 4, 6
"""Rows of a rack beside which lists are long, and up to which its slots are boxes, not lines."""

LISTED, LISTED_SHORT = 7, 4
"""Rows of a list of modules on the page, beside a low rack and beside others; of codes and of slots
half as many."""

SHOWN = 110
"""Characters of a reason."""

SHOWN_SLOTS = 18
"""Characters of the slots that a code was seen in."""

SHOWN_REMEDY = 140
"""Characters of what to do, on two lines: the longest that ends an attempt has 131."""

SHOWN_FACT = 160
"""Characters of what stands on top; wide ones are cut after two lines."""


def facts_of(sheet: Sheet) -> list[tuple[str, str]]:
    """What stands on top: names and values."""
    begun = sheet.story.begun
    ended = sheet.ended_utc_us
    resumed = f", gone on with after {_times(sheet.resumed)}" if sheet.resumed else ""
    seq, digest = sheet.story.head
    yielded = sheet.story.yielded
    spent = (
        f"{sheet.attempts} on {sheet.story.units} units, {yielded.station_loss} lost by the station"
    )
    return [
        ("campaign", f"{begun.name}, {begun.campaign_id}"),
        ("station", begun.station),
        ("started", f"{clock(begun.utc_us)} by {begun.actor or begun.peer_user or 'unknown'}"),
        ("ended", ("-" if ended is None else clock(ended)) + f", {sheet.ending}{resumed}"),
        ("slots", ", ".join(f"{count} {word}" for word, count in sheet.totals) or "none"),
        ("first-pass yield", _share(yielded.first_pass_yield)),
        ("final yield", _share(yielded.final_yield)),
        ("attempts", spent),
        ("policy", f"sha256 {begun.policy_sha256}"),
        ("record", f"link {seq}, {digest}"),
    ]


def clock(utc_us: int) -> str:
    """By the clock on the station's wall."""
    local = datetime.fromtimestamp(utc_us / 1_000_000).astimezone()
    return f"{local:%Y-%m-%d %H:%M:%S %z}"


def _share(rate: Rate) -> str:
    return f"{rate.part} of {rate.whole}" + (f", {rate}" if rate.whole else "")


def _times(count: int) -> str:
    return "one restart" if count == 1 else f"{count} restarts"


def _slots(names: Sequence[str]) -> str:
    """The first three, if they are short: more would leave no place for what to do."""
    shown = 3 if sum(map(len, names[:3])) <= SHOWN_SLOTS else 1
    more = f" +{len(names) - shown}" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def _seconds(duration_us: int) -> str:
    return f"{duration_us / 1_000_000:.1f} s"


def _short(text: str, most: int = SHOWN) -> str:
    text = plain(text)
    return text if len(text) <= most else text[: most - 1] + "…"


@dataclass(frozen=True, slots=True)
class _List:
    """Something that stands below the rack: rows of three texts, the last as long as it likes.
    The page shows `most` of them; `where` the others are."""

    title: str
    rows: list[tuple[str, str, str]]
    most: int
    where: str = "the rack"
    wraps: bool = False


def _lists(sheet: Sheet, most: int) -> list[_List]:
    text = f"station campaign sheet {sheet.story.begun.campaign_id} --text"
    remedies = [(code, _slots(slots), remedy) for code, slots, remedy in sheet.remedies]
    return [
        _List("Failed", [(c.slot, c.name, f"{c.word} {c.why}") for c in sheet.bad], most),
        _List("Not touched", [(c.slot, c.name, f"{c.word} {c.why}") for c in sheet.left], most),
        _List("Codes and what to do", remedies, most // 2, text, wraps=True),
        _List("Slots out", [(slot, "", why) for slot, why in sheet.out], most // 2, text),
        _List("Slowest steps", [_slow(step) for step in sheet.slowest], SLOWEST),
    ]


def _slow(step: SlowStep) -> tuple[str, str, str]:
    average = _seconds(step.average_us)
    return step.slot, step.step, f"{_seconds(step.longest_us)}, on average {average}"


# --- text -------------------------------------------------------------------------------------


def sheet_text(sheet: Sheet) -> str:
    """For a terminal or a mail: nothing is left out."""
    parts = [
        [f"{name:<16}  {plain(value)}" for name, value in facts_of(sheet)],
        _rack_lines(sheet),
        *(_listed(one.title.upper(), one.rows) for one in _lists(sheet, LISTED)),
    ]
    return "\n\n".join("\n".join(lines) for lines in parts if lines) + "\n"


def _rack_lines(sheet: Sheet) -> list[str]:
    texts = [[f"{cell.slot} {_mark(cell)}" for cell in row] for row in sheet.rows]
    width = max((len(text) for row in texts for text in row), default=0)
    return ["RACK", *("  ".join(text.ljust(width) for text in row).rstrip() for row in texts)]


def _mark(cell: Cell) -> str:
    return f"{cell.word}{' OUT' if cell.is_out and cell.word != 'OUT' else ''}"


def _listed(title: str, rows: Sequence[tuple[str, str, str]]) -> list[str]:
    if not rows:
        return []
    told = [[plain(text) for text in row] for row in rows]
    slot, name = (max(len(row[column]) for row in told) for column in (0, 1))
    return [title, *(f"{one:<{slot}}  {two:<{name}}  {three}".rstrip() for one, two, three in told)]


# --- HTML -------------------------------------------------------------------------------------

_STYLE = """
@page{size:A4;margin:10mm}
*{box-sizing:border-box}
body{font:8.5pt/1.25 sans-serif;margin:0 auto;max-width:190mm;color:#111}
h1{font-size:13pt;margin:0 0 2mm;overflow-wrap:anywhere}h2{font-size:9pt;margin:2mm 0 .6mm}
table{border-collapse:collapse;width:100%}
th{text-align:left;font-weight:normal;color:#555;white-space:nowrap;padding:0 3mm 0 0}
th,td{vertical-align:top}.facts th{width:28mm}
.facts div{max-height:2.5em;overflow:hidden;word-break:break-all}
.rack{table-layout:fixed;border-spacing:1mm;border-collapse:separate;margin:0 -1mm}
.rack td{border:.3mm solid #999;border-radius:1mm;padding:.6mm 1mm;overflow:hidden;
font-size:7pt;line-height:1.15;-webkit-print-color-adjust:exact;print-color-adjust:exact}
.rack b{font-size:8.5pt}
.rack i{font-size:5.7pt;font-style:normal;display:block;white-space:nowrap;overflow:hidden}
.boxes td{height:12mm}
.lines{border-spacing:0;margin:0}
.lines td{padding:0 1mm;font-size:5.7pt;line-height:1.1;white-space:nowrap;border-radius:0}
.lines b{font-size:inherit}.lines i{display:inline;margin-left:1.5mm}
.good{background:#d7f0d7}.bad{background:#f6c9c5;border:.6mm solid #a00!important}
.lines .bad{border-width:.3mm!important}
.station{background:#f8e3b0}.left{background:#e4e4f2}.empty{color:#888}
.list td{border-top:.2mm solid #ccc;padding:.2mm 2mm .2mm 0;font-size:7.5pt;line-height:1.15;
white-space:nowrap}
.list td:last-child{width:99%;max-width:0;overflow:hidden}
.wraps td:last-child{white-space:normal}
"""


def sheet_html(sheet: Sheet) -> str:
    """One file, one page for a rack of 32."""
    title = f"{sheet.story.begun.name}: {clock(sheet.story.begun.utc_us)[:10]}"
    most = LISTED if len(sheet.rows) <= LOW else LISTED_SHORT
    body = [
        f"<h1>{_safe(title)} &ndash; {_safe(sheet.how)}</h1>",
        _facts_html(sheet),
        f"<h2>Rack</h2>{_rack_html(sheet)}",
        *map(_list_html, _lists(sheet, most)),
    ]
    return (
        "<!doctype html>\n<html lang=en><meta charset=utf-8>"
        f"<title>{_safe(title)}</title><style>{_STYLE}</style>\n<body>\n" + "\n".join(body) + "\n"
    )


def _facts_html(sheet: Sheet) -> str:
    facts = ((_safe(name), _safe(_short(value, SHOWN_FACT))) for name, value in facts_of(sheet))
    rows = (f"<tr><th>{name}<td><div>{value}</div>" for name, value in facts)
    return f"<table class=facts>{''.join(rows)}</table>"


def _rack_html(sheet: Sheet) -> str:
    rows = ("".join(map(_cell_html, row)) for row in sheet.rows)
    shape = "boxes" if len(sheet.rows) <= HIGH else "lines"
    return f'<table class="rack {shape}">{"".join(f"<tr>{row}" for row in rows)}</table>'


def _cell_html(cell: Cell) -> str:
    code = cell.why.split(":")[0] if cell.tone in ("bad", "station") else ""
    lines = "".join(f"<i>{_safe(line)}</i>" for line in (_mark(cell), cell.name, code) if line)
    return f'<td class="{cell.tone}"><b>{_safe(cell.slot)}</b>{lines}'


def _list_html(listed: _List) -> str:
    rows, most = listed.rows, listed.most
    if not rows:
        return ""
    shown = rows[:most] if len(rows) > most + 1 else rows  # one more takes no more place
    cut = SHOWN_REMEDY if listed.wraps else SHOWN
    lines = ["".join(f"<td>{_safe(_short(text, cut))}" for text in row) for row in shown]
    if len(shown) < len(rows):
        lines.append(f"<td><td><td>and {len(rows) - most} more, see {_safe(listed.where)}")
    body = "".join(f"<tr>{line}" for line in lines)
    kind = "list wraps" if listed.wraps else "list"
    return f'<h2>{_safe(listed.title)}: {len(rows)}</h2><table class="{kind}">{body}</table>'


def _safe(text: str) -> str:
    return escape(plain(text))
