"""The price of a change: cells by the model of areas, and the parts that fields name."""

import re

from rowforge.area.model import modelled
from rowforge.configs import preset
from rowforge.page.price import price

CONFIG = preset("ulx3s_85f")


def test_a_price_has_the_models_luts_and_the_parts():
    wider = CONFIG.with_values({"noc.psum_out": 4, "buffer.banks": 16})
    said = price(CONFIG, wider)
    luts = int(re.match(r"about \+([\d,]+) LUTs of an ECP5 \(\+", said)[1].replace(",", ""))
    assert luts == modelled(wider).luts - modelled(CONFIG).luts > 0
    assert "+32 block RAMs" in said and "+72 network wires" in said
    assert price(wider, CONFIG).startswith(f"about -{luts:,} LUTs")


def test_where_the_model_knows_nothing_the_parts_are_told():
    small = preset("icebreaker")
    changed = small.with_values({"buffer.filter_prefetch": 2 * small.buffer.filter_prefetch})
    assert price(small, changed) == f"+{8 * small.buffer.filter_prefetch:,} prefetch bits"


def test_parts_of_all_clusters_count():
    more = CONFIG.with_values({"clusters.y": 2})
    said = price(CONFIG, more)
    assert said.startswith("+1 clusters, +64 PEs, +64 multipliers, ") and "link" not in said
