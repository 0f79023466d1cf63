"""A folder with everything that a C compiler needs: runtime, header, program, an example."""

from collections.abc import Iterator
from pathlib import Path

from hw.arch.files import write_files
from hw.arch.program import Words
from hw.arch.version import version_text
from sw_driver.c.export import ExportedProgram
from sw_driver.c.header import HEADER, render_records

RUNTIME = Path(__file__).parent / "runtime"
EXAMPLE = Path(__file__).parent / "example"
PROGRAM_FILE = "program.rfc"
_PROGRAM_SOURCE, _PROGRAM_HEADER = "program.c", "program.h"
_PER_LINE = 4


def write_folder(program: ExportedProgram, folder: Path) -> list[Path]:
    """Write the files; the folder is made if it is absent, its other files stay.

    Raises `RowforgeError` if a file cannot be written; then none is.
    """
    files: dict[str, str | bytes] = {
        path.name: path.read_bytes() for path in (*_sources(RUNTIME), *_sources(EXAMPLE))
    }
    files |= {
        HEADER: render_records(),
        PROGRAM_FILE: program.words.astype("<u8").tobytes(),
        _PROGRAM_SOURCE: render_source(program.words),
        _PROGRAM_HEADER: render_header(program),
    }
    return write_files(folder, files)


def _sources(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.iterdir()) if path.suffix in (".c", ".h"))


def render_header(program: ExportedProgram) -> str:
    """`program.h`: the size of the program, and of the memory that it needs."""
    name, memory = program.name.replace("*/", "* /"), max(program.memory, 8)
    return "\n".join(
        [
            f"/* {name} for the C runtime, written by rowforge {version_text()}. */",
            "#ifndef ROWFORGE_PROGRAM_H",
            "#define ROWFORGE_PROGRAM_H",
            "",
            "#include <stdint.h>",
            "",
            f"#define ROWFORGE_PROGRAM_SIZE {len(program.words)}UL /* 64-bit words */",
            f"#define ROWFORGE_MEMORY_SIZE {memory}UL /* bytes of working memory */",
            "",
            "extern const uint64_t rowforge_program_words[ROWFORGE_PROGRAM_SIZE];",
            "",
            "#endif",
            "",
        ]
    )


def render_source(words: Words) -> str:
    """`program.c`: the words of a program as an array."""
    values = [f"{int(word):#x}ULL" for word in words]
    rows = (
        "    " + ", ".join(values[at : at + _PER_LINE]) for at in range(0, len(values), _PER_LINE)
    )
    return "\n".join(
        [
            '#include "program.h"',
            "",
            "const uint64_t rowforge_program_words[ROWFORGE_PROGRAM_SIZE] = {",
            ",\n".join(rows),
            "};",
            "",
        ]
    )
