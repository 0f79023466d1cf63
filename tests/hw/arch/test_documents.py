"""The generated documents agree with the records that gateware and driver use."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from hw.arch import commands, frames
from hw.arch.commands import DESCRIPTOR_WORDS, MAGIC, Opcode
from hw.arch.config import Config
from hw.arch.config.file import config_hash, parse_toml
from hw.arch.fields import WORD_BITS, Struct
from hw.arch.registers import MEANINGS, Register
from hw.emit.documents import ENUMS, descriptor, documents, link_tables, records

CONFIG = Config.of({"array.rows": 3, "array.cols": 5})
DOCUMENTS = documents(CONFIG, "mine")


@pytest.mark.parametrize("opcode", Opcode)
def test_descriptors_have_the_words_that_the_decoder_expects(opcode):
    assert (
        sum(record.words * count for record, count in descriptor(opcode))
        == (DESCRIPTOR_WORDS[opcode])
    )


def test_every_record_and_enumeration_is_documented():
    described = {
        item
        for module in (commands, frames)
        for item in vars(module).values()
        if isinstance(item, Struct)
    }
    assert described <= set(records(CONFIG))
    named = {kind.__name__ for kind in ENUMS}
    assert {"Opcode", "ResultBlock", "Status", "Rounding", "VectorOp"} <= named


def test_toml_is_the_configuration():
    assert parse_toml(DOCUMENTS["mine.toml"]) == CONFIG


def test_json_packs_as_the_software_does():
    document = json.loads(DOCUMENTS["mine.json"])
    assert int(document["magic"], 16) == MAGIC
    assert int(document["configuration_hash"], 16) == config_hash(CONFIG)
    for record in records(CONFIG):
        places = document["records"][record.name]
        assert places["words"] == record.words
        for place in places["fields"]:
            value = 1 if not place["signed"] else -1
            words = record.pack({place["name"]: value})
            mask = (1 << place["width"]) - 1
            assert words[place["word"]] == (value & mask) << place["bit"]


def test_json_has_every_enumeration():
    document = json.loads(DOCUMENTS["mine.json"])
    for kind in ENUMS:
        assert document["enumerations"][kind.__name__] == {item.name: item for item in kind}


def test_the_header_is_c(tmp_path):
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("g++")
    if compiler is None:
        pytest.skip("no C compiler")
    (tmp_path / "mine.h").write_text(DOCUMENTS["mine.h"])
    header = commands.HEADER
    checks = [
        f"MINE_MAGIC == {MAGIC}ULL",
        f"MINE_CONFIG_HASH == {config_hash(CONFIG)}ULL",
        "MINE_CONFIG_ARRAY_COLS == 5",
        f"MINE_OPCODE_CONV == {int(Opcode.CONV)}",
        f"MINE_DESCRIPTOR_WORDS_CONV == {DESCRIPTOR_WORDS[Opcode.CONV]}",
        f"MINE_HEADER_LENGTH_LSB == {header.offsets['length'] % WORD_BITS}",
    ]
    lines = ['#include "mine.h"', '#include "mine.h"']
    lines += [f"typedef char check_{i}[({check}) ? 1 : -1];" for i, check in enumerate(checks)]
    (tmp_path / "check.c").write_text("\n".join(lines) + "\n")
    command = [compiler, "-Wall", "-Werror", "-fsyntax-only", str(tmp_path / "check.c")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_no_name_is_defined_twice():
    names = re.findall(r"^#define (\w+) ", DOCUMENTS["mine.h"], flags=re.MULTILINE)
    assert len(names) == len(set(names))


def test_markdown_has_a_row_for_every_field():
    text = DOCUMENTS["mine.md"]
    for record in records(CONFIG):
        section = text.split(f"### {record.name}\n")[1].split("###")[0]
        rows = [line for line in section.splitlines() if line.startswith("|")][2:]
        assert len(rows) == len(record.fields)
        for row, field in zip(rows, record.fields, strict=True):
            assert f"`{field.name}`" in row
            assert len(re.findall(r"(?<!\\)\|", row)) == 6


def test_the_link_is_documented_as_it_is():
    text = (Path(__file__).parents[3] / "docs" / "link.md").read_text(encoding="utf-8")
    assert text.endswith("\n" + link_tables())
    assert set(frames.OPCODES) == set(frames.LinkOpcode)
    assert set(frames.STATUSES) == set(frames.LinkStatus)
    assert set(MEANINGS) == set(Register)
