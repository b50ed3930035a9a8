"""Words and rows: nothing is cut where nobody would see it."""

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from station.dashboard.palette import COLOUR, Kind
from station.dashboard.paper import fields, ink, paragraph

WORDS = st.text(st.sampled_from("ab1_ .-日"), max_size=200)


@given(st.lists(st.tuples(st.sampled_from(["SKU", "IMEI"]), WORDS), max_size=4), WORDS)
def test_no_row_is_wider_than_the_screen_and_no_letter_is_lost(
    pairs: list[tuple[str, str]], text: str
) -> None:
    drawn = fields(COLOUR, pairs, 40)
    assert all(cell_len(row.rstrip()) <= 40 for row in drawn.plain.split("\n"))
    given = "".join(label + value for label, value in pairs if value)
    assert squeezed(drawn.plain) == squeezed(given)
    told = paragraph(COLOUR, text, 40, ink(COLOUR, Kind.WARN)).plain
    assert all(cell_len(row.rstrip()) <= 40 for row in told.split("\n"))
    assert squeezed(told) == squeezed(text)


def test_a_long_value_stands_below_itself() -> None:
    drawn = fields(
        COLOUR, [("slot", "A1"), ("SKU", "EC25EFA* EC25-EFA* EC25EFB*"), ("by", "jo")], 20
    )
    assert [row.rstrip() for row in drawn.plain.split("\n")] == [
        " slot A1",
        " SKU EC25EFA*",
        "     EC25-EFA*",
        "     EC25EFB*",
        " by jo",
    ]


def squeezed(text: str) -> str:
    return "".join(text.split())
