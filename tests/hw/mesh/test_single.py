"""A single cluster is the accelerator without clusters, in every bit of its Verilog."""

import re

from hw.arch.config import Config
from hw.arch.config.file import config_hash, parse_toml
from hw.emit.verilog import emit
from hw.top.accelerator import AcceleratorCore

SMALL = """
[array]
rows = 1
cols = 1
[buffer]
depth = 64
"""
MESH_MODULES = re.compile(r"^module .*(cluster|distributor|gatherer|mesh)", re.MULTILINE)


def verilog(config: Config) -> str:
    return emit(AcceleratorCore(config), "rowforge")


def test_one_by_one_clusters_are_the_accelerator_without_the_section():
    sections = ("", "[clusters]\ny = 1\nx = 1\n", "[clusters]\nx = 2\n")
    plain, single, several = (parse_toml(SMALL + section) for section in sections)
    assert config_hash(single) == config_hash(plain) != config_hash(several)
    text = verilog(plain)
    assert verilog(single) == text
    mesh = verilog(several)
    assert not MESH_MODULES.search(text) and MESH_MODULES.search(mesh)
    assert len(re.findall(r"^module rowforge_(cluster|pe)\(", mesh, re.MULTILINE)) == 2
    assert len(re.findall(r"^  rowforge_cluster ", mesh, re.MULTILINE)) == 2
