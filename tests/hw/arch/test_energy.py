"""Tables of technologies, and what accesses cost by them."""

import pytest

from hw.arch.accesses import Access, Accesses, DataType, Direction, Level
from hw.arch.config import Config
from hw.arch.energy import bill, parse_technology, read_technology, technology, technology_names
from hw.arch.errors import RowforgeError

READ, WRITE = Direction.READ, Direction.WRITE
PRODUCTS = Access(Level.MAC, DataType.PSUM, WRITE)
TEXT = """
name = "mine"
unit = "pJ"
process = "28 nm"
source = "measured"
licence = "ours"
[[entries]]
level = "mac"
energy = 0.4
[[entries]]
level = "mac"
gated = true
energy = 0.1
[[entries]]
level = "spad"
energy = 0.5
[[entries]]
level = "spad"
data = ["psum"]
energy = 0.75
[[entries]]
level = "spad"
data = ["psum"]
direction = "write"
energy = 2
bits = 64
"""


def config(data_width: int, psum_width: int) -> Config:
    values = {"array.data_width": data_width, "array.psum_width": psum_width, "noc.filter": 4}
    return Config.of(values)


def words(level: Level, data: DataType, direction: Direction, count: int = 1) -> Accesses:
    return Accesses.of({Access(level, data, direction): count})


# ---- the tables that ship ---------------------------------------------------------------------


def test_the_normalised_table_is_the_papers() -> None:
    table = technology()
    prices = {
        Level.MAC: 1,
        Level.SPAD: 1,
        Level.NETWORK: 2,
        Level.BUFFER: 6,
        Level.LINK: 200,
    }
    assert {level: table.level_price(level) for level in prices} == prices
    assert (table.unit, table.joules) == ("MAC", None)


@pytest.mark.parametrize("name", technology_names())
def test_every_price_says_where_it_comes_from(name: str) -> None:
    table = technology(name)
    assert table.name == name
    for price in table.prices:
        assert price.unit == table.unit
        assert len(price.source) > 10 and price.process and price.licence


def test_sets_are_not_mixed() -> None:
    """The sets of 45 and 65 nm disagree, and each keeps its own prices."""
    products = {name: technology(name).price(PRODUCTS) for name in technology_names()}
    assert {name: price and (price.energy, price.bits) for name, price in products.items()} == {
        "normalised": (1, 16),
        "eyeriss_like_45nm": (2.2, 16),
        "timeloop_45nm": (0.315, 16),
        "timeloop_65nm": (0.208, 8),
        "nn_dataflow_65nm": (2, 16),
    }


# ---- what accesses cost -------------------------------------------------------------------------


def test_storage_scales_with_bits_and_a_product_with_both_widths() -> None:
    table = technology()
    narrow, wide = config(8, 32), config(16, 16)
    for access, of_8, of_16 in (
        (words(Level.MAC, DataType.PSUM, WRITE, 100), 25, 100),
        (words(Level.SPAD, DataType.FILTER, READ, 100), 50, 100),
        (words(Level.SPAD, DataType.PSUM, WRITE, 100), 200, 100),
        (words(Level.BUFFER, DataType.IFMAP, READ, 10), 30, 60),
        (words(Level.LINK, DataType.TABLE, READ, 3), 2400, 2400),
    ):
        assert bill(narrow, table, access).total == of_8
        assert bill(wide, table, access).total == of_16


def test_a_word_is_priced_once_between_two_levels() -> None:
    table, wide = technology(), config(16, 16)
    free = (
        (Level.SPAD, DataType.IFMAP, WRITE),
        (Level.SPAD, DataType.FILTER, WRITE),
        (Level.NETWORK, DataType.FILTER, READ),
        (Level.BUFFER, DataType.IFMAP, WRITE),
        (Level.BUFFER, DataType.FILTER, WRITE),
        (Level.BUFFER, DataType.OFMAP, READ),
    )
    for kind in free:
        found = bill(wide, table, words(*kind, 7))
        assert (found.total, found.partial) == (0, False)
    assert bill(wide, table, words(Level.NETWORK, DataType.FILTER, WRITE, 7)).total == 14


def test_the_most_exact_entry_holds() -> None:
    table, wide = parse_technology(TEXT), config(16, 16)
    for data, direction, energy in (
        (DataType.IFMAP, READ, 0.5),
        (DataType.PSUM, READ, 0.75),
        (DataType.PSUM, WRITE, 0.5),
    ):
        assert bill(wide, table, words(Level.SPAD, data, direction)).total == energy


def test_gated_products_cost_what_the_table_says() -> None:
    wide, products = config(16, 16), words(Level.MAC, DataType.PSUM, WRITE, 10)
    assert bill(wide, technology(), products, gated_macs=4).total == 6
    mine = bill(wide, parse_technology(TEXT), products, gated_macs=4)
    assert mine.total == pytest.approx(6 * 0.4 + 4 * 0.1)


def test_what_has_no_entry_is_named_and_the_total_is_a_part() -> None:
    accesses = words(Level.MAC, DataType.PSUM, WRITE, 10) + words(Level.LINK, DataType.INPUT, READ)
    found = bill(config(16, 16), parse_technology(TEXT), accesses)
    assert (found.partial, found.missing) == (True, ("link.input",))
    told = found.as_dict(10, 1)
    assert (told["total"], told["per_mac"], told["inferences_per_joule"]) == (4, 0.4, None)
    nothing = words(Level.LINK, DataType.INPUT, READ, 0)
    assert not bill(config(16, 16), parse_technology(TEXT), nothing).partial


def test_figures_of_a_report() -> None:
    accesses = words(Level.MAC, DataType.PSUM, WRITE, 100) + words(
        Level.SPAD, DataType.FILTER, READ, 100
    )
    told = bill(config(16, 16), parse_technology(TEXT), accesses).as_dict(100, 2)
    assert told["by_level"] == {"mac": 40, "spad": 50}
    assert told["by_type"] == {"psum": 40, "filter": 50}
    assert told["detail"] == {"mac": {"psum": 40}, "spad": {"filter": 50}}
    assert (told["unit"], told["per_mac"]) == ("pJ", 0.9)
    assert told["inferences_per_joule"] == pytest.approx(2 / 90e-12, rel=1e-5)
    assert (
        bill(config(16, 16), technology(), accesses).as_dict(100, 2)["inferences_per_joule"] is None
    )


def test_bills_add_up() -> None:
    wide, table = config(16, 16), parse_technology(TEXT)
    first = bill(wide, table, words(Level.SPAD, DataType.FILTER, READ, 2))
    second = bill(wide, table, words(Level.LINK, DataType.INPUT, READ))
    both = first + second + first
    assert (both.total, both.missing) == (2, ("link.input",))
    with pytest.raises(ValueError, match="different tables"):
        first + bill(wide, technology(), Accesses())


# ---- the user's own -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('unit = "pJ"', 'unit = "eV"', ["unit must be one of MAC, pJ", "'eV'"]),
        ('unit = "pJ"', "", ["unit must be a text", "nothing"]),
        ('source = "measured"', 'source = " "', ["source must be a text"]),
        ('level = "mac"\nenergy', 'level = "alu"\nenergy', ["entries[1]", "level", "mac", "'alu'"]),
        ("energy = 0.4", "energy = -1", ["entries[1]: energy", "0 to 1e+09", "-1"]),
        ("energy = 0.4", "energy = nan", ["entries[1]: energy", "nan"]),
        ("energy = 0.4", 'energy = "much"', ["entries[1]: energy", "'much'"]),
        ("energy = 0.4", "", ["entries[1] must have energy"]),
        ("bits = 64", "bits = 0", ["entries[5]: bits", "1 to 4096", "0"]),
        ("bits = 64", "bits = 1.5", ["entries[5]: bits", "1.5"]),
        ("bits = 64", "width = 64", ["entries[5]", "unknown key 'width'"]),
        ('direction = "write"', 'direction = "up"', ["direction", "read, write", "'up'"]),
        ('data = ["psum"]', 'data = "psum"', ["data must be a list", "'psum'"]),
        ('data = ["psum"]', 'data = ["sum"]', ["data must be one of", "'sum'"]),
        ("gated = true", "gated = 1", ["gated must be true or false", "1"]),
        ("gated = true", "", ["entries[1] is not the only one for mac"]),
        ("energy = 0.5", "energy = 0.5\ngated = true", ["gated must be false at level spad"]),
        ("energy = 0.5", 'energy = 0.5\nunit = "MAC"', ["unit pJ", "MAC"]),
        ("energy = 0.5", 'energy = 0.5\nprocess = "45 nm"', ["28 nm, 45 nm", "mixed"]),
        ("[[entries]]", "[entries]", ["not valid TOML"]),
        ("[[entries]]", "[sizes]\nrows = 4\n[[entries]]", ["sizes", "'rows'", "array.rows"]),
        ("[[entries]]", "sizes = 4\n[[entries]]", ["sizes must be a table, not 4"]),
        ("[[entries]]", '[sizes]\n"pe.ifmap_spad" = 0\n[[entries]]', ["pe.ifmap_spad", "not 0"]),
    ],
)
def test_a_wrong_file_is_refused_in_a_sentence(old: str, new: str, said: list[str]) -> None:
    assert old in TEXT
    with pytest.raises(RowforgeError) as refused:
        parse_technology(TEXT.replace(old, new, 1), "mine.toml")
    for word in said:
        assert word in str(refused.value)


def test_a_table_names_the_sizes_that_it_was_not_made_for() -> None:
    mine = Config()
    sizes = f'"pe.ifmap_spad" = {mine.pe.ifmap_spad}\n"buffer.depth" = {mine.buffer.depth}'
    same = parse_technology(TEXT.replace("[[entries]]", f"[sizes]\n{sizes}\n[[entries]]", 1))
    assert same.other_sizes(mine) == ""
    assert parse_technology(TEXT).other_sizes(mine) == ""  # for any
    twice = sizes.replace(f'depth" = {mine.buffer.depth}', f'depth" = {2 * mine.buffer.depth}')
    other = parse_technology(TEXT.replace("[[entries]]", f"[sizes]\n{twice}\n[[entries]]", 1))
    said = other.other_sizes(mine)
    assert f"buffer.depth = {2 * mine.buffer.depth} (here {mine.buffer.depth})" in said
    assert "mine" in said and "ifmap_spad" not in said


def test_the_file_is_named(tmp_path) -> None:
    path = tmp_path / "mine.toml"
    with pytest.raises(RowforgeError, match=r"cannot read technology .*mine\.toml"):
        read_technology(path)
    path.write_text(TEXT)
    assert read_technology(path) == parse_technology(TEXT)
    with pytest.raises(RowforgeError, match="normalised"):
        technology("mine")
