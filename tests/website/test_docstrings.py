"""Docstrings of the house's style as Sphinx is given them."""

from website.docstrings import prepared


def test_a_drawing_is_literal() -> None:
    lines = ["A block.", "", "Timing", "------", "Two words:", "", "    a  1  0", "    b  0  1", ""]
    lines += ["    c  1  1", "", "It ends."]
    assert prepared(lines) == [
        *["A block.", "", "Timing", "------", "Two words:", "", "::", ""],
        *["    a  1  0", "    b  0  1", "", "    c  1  1", "", "It ends.", ""],
    ]


def test_names_become_a_list() -> None:
    lines = ["A tile.", "", "once : what is added", "    once", "tail : whether", "", "More."]
    assert prepared(lines) == [
        *["A tile.", "", "* once : what is added once", "* tail : whether", "", "More.", ""]
    ]


def test_one_entry_is_a_definition() -> None:
    lines = ["What a PE may assume", "    `config` holds."]
    assert prepared(lines) == [*lines, ""]


def test_bars_are_bars_outside_code() -> None:
    assert prepared(["|acc| is `a | b` of |b|"]) == ["\\|acc\\| is `a | b` of \\|b\\|", ""]


def test_the_type_of_a_member_stands_in_one_line() -> None:
    lines = ["Members", "-------", "rows : in, {en: 1,", "        data: 2}", "    Words.", "i : in"]
    assert prepared(lines) == [
        *["Members", "-------", "rows : in, {en: 1, data: 2}", "    Words.", "i : in", ""]
    ]


def test_prose_ends_a_section() -> None:
    lines = ["Parameters", "----------", "a : int", "    One.", "", "Returns the sum.", "", "End."]
    assert prepared(lines) == [
        *["Parameters", "----------", "a : int", "    One.", "", ""],
        *["Returns the sum.", "", "End.", ""],
    ]
