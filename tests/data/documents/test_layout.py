"""Lines of a page come in the order in which people read them."""

from dragoman.data.documents.layout import Line, in_order

TEXT = "a line of running text that fills it"


def column(x: float, name: str, top: float = 100, count: int = 8) -> list[Line]:
    """Lines of one column of 200 points."""
    return [Line(f"{name}{n} {TEXT}", x, top + 12 * n, x + 200, top + 12 * n + 10, 10) for n in range(count)]


def test_a_title_then_the_left_column_then_the_right_one() -> None:
    title = Line("A title over both columns of the page", 120, 50, 400, 64, 14)
    page = [*column(280, "right"), title, *column(50, "left")]
    found = [line.text.split()[0] for line in in_order(page)]
    assert found == ["A", *(f"left{n}" for n in range(8)), *(f"right{n}" for n in range(8))]
    assert len({line.column for line in in_order(page)}) == 3


def test_a_band_across_ends_the_columns_above_it() -> None:
    across = Line("a figure that goes over both of the columns", 60, 200, 470, 210, 10)
    page = [*column(50, "a"), *column(280, "b"), across, *column(50, "c", 220), *column(280, "d", 220)]
    found = [line.text[0] for line in in_order(page)]
    assert "".join(sorted(set(found), key=found.index)) == "abcd" or found.index("b") < found.index("c")
    order = [line.text.split()[0] for line in in_order(page)]
    assert order.index("b7") < order.index("a", 1) < order.index("c0") < order.index("c7") < order.index("d0")


def test_three_columns() -> None:
    page = [*column(480, "c"), *column(50, "a"), *column(265, "b")]
    assert "".join(line.text[0] for line in in_order(page)) == "a" * 8 + "b" * 8 + "c" * 8


def test_a_table_is_read_by_rows() -> None:
    page = [
        Line(f"{name}{row}", x, 100 + 14 * row, x + 30, 110 + 14 * row, 10)
        for x, name in ((300, "c"), (50, "a"), (170, "b"))
        for row in range(6)
    ]
    found = in_order(page)
    assert [line.text for line in found] == [f"a{row} | b{row} | c{row}" for row in range(6)]
    assert all(line.cells == 3 for line in found)
