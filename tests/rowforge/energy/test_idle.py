"""What a core cycle costs: level `idle` of tables, and in bills."""

import pytest

from hw.arch.accesses import Access, Accesses, DataType, Direction, Level
from hw.arch.config import Config
from hw.arch.energy import bill, parse_technology
from hw.arch.errors import RowforgeError
from hw.asic.process import IHP_SG13G2
from rowforge.asic.fitted import fitted_technology, predicted
from rowforge.asic.replay import Replay, level_of, spent_by_level
from rowforge.energy.layer_tally import LayerTally

CONFIG = Config()
HEAD = 'name = "t"\nunit = "pJ"\nprocess = "p"\nsource = "s"\nlicence = "l"\n'
IDLE = '[[entries]]\nlevel = "idle"\nenergy = 7\n'
MAC = '[[entries]]\nlevel = "mac"\nenergy = 2\n'


def accesses(**words):
    kinds = {
        "mac": Access(Level.MAC, DataType.PSUM, Direction.WRITE),
        "spad": Access(Level.SPAD, DataType.FILTER, Direction.READ),
        "network": Access(Level.NETWORK, DataType.IFMAP, Direction.READ),
        "buffer": Access(Level.BUFFER, DataType.IFMAP, Direction.READ),
    }
    return Accesses.of({kinds[name]: count for name, count in words.items()})


def test_cycles_cost_what_the_table_says():
    table = parse_technology(HEAD + IDLE + MAC)
    cost = bill(CONFIG, table, accesses(mac=10), cycles=100)
    assert cost.at(Level.IDLE) == 700
    assert not cost.partial
    assert "idle" in cost.as_dict(10, 1)["by_level"]
    assert bill(CONFIG, table, accesses(mac=10)).at(Level.IDLE) == 0


def test_a_table_without_it_counts_no_cycles():
    cost = bill(CONFIG, parse_technology(HEAD + MAC), accesses(mac=10), cycles=100)
    assert cost.at(Level.IDLE) == 0 and not cost.partial


@pytest.mark.parametrize("more", ['data = ["psum"]', 'direction = "read"', "bits = 16"])
def test_a_cycle_has_neither_data_nor_width(more):
    with pytest.raises(RowforgeError, match="level idle must have no data, direction or bits"):
        parse_technology(f"{HEAD}{IDLE}{more}\n")


@pytest.mark.parametrize(
    ("path", "level"),
    [
        ("core.engine.array.pe_0_1", Level.MAC),
        ("core.engine.array.pe_0_1.filter_spad.words", Level.SPAD),
        ("core.engine.array.pe_0_1.output_queue", Level.MAC),
        ("core.engine.array.psum_network", Level.NETWORK),
        ("core.engine.psum_reader.queue", Level.NETWORK),
        ("core.engine.buffer.bank_0.macro", Level.BUFFER),
        ("core.engine.sequencer.row_loader", None),
        ("core.engine.post_processor", None),
        ("decoder", None),
        ("", None),
    ],
)
def test_instances_work_for_a_level(path, level):
    assert level_of(path) is level


def test_a_fitted_table_tells_its_own_layer():
    from hw.asic.netlist.energy import SpentEnergy

    instances = {
        "core.engine.array.pe_0_0": SpentEnergy(internal=4e-9, clock=1e-9, leakage=1e-9),
        "core.engine.array.pe_0_0.ifmap_spad": SpentEnergy(switching=3e-9, clock=2e-9),
        "core.engine.array.psum_network": SpentEnergy(internal=5e-9),
        "core.engine.buffer.bank_0.macro": SpentEnergy(accesses=6e-9, leakage=1e-9),
        "decoder": SpentEnergy(internal=2e-9, clock=3e-9),
    }
    spent = spent_by_level(instances)
    assert spent[Level.IDLE] == pytest.approx(10e-9)
    assert spent[Level.SPAD] == pytest.approx(3e-9)
    tally = LayerTally(accesses(mac=100, spad=50, network=20, buffer=10), 100, 0)
    replay = Replay(40, tally, spent)
    table = fitted_technology(CONFIG, replay, process=IHP_SG13G2.name, corner="1.2 V 25 °C")
    assert not parse_technology(table).other_sizes(CONFIG)  # it was made for these
    told = predicted(CONFIG, table, replay)
    assert told == pytest.approx(spent, rel=1e-5)
    twice = Replay(80, tally + tally, {})
    technology = parse_technology(table)
    whole = bill(CONFIG, technology, twice.tally.accesses, cycles=80).total
    assert whole == pytest.approx(2e12 * replay.total, rel=1e-5)
