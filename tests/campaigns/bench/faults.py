"""Mistakes in the generated Verilog, each of which the generated testbench must find."""

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """A mistake in one module.

    Attributes
    ----------
    name : str
        What is wrong.
    module : str
        Pattern of the module's name without its prefix; the first module that it fits and that
        holds the text is changed.
    pattern, replacement : str
        Of the text in it, as `re.sub` takes them.
    """

    name: str
    module: str
    pattern: str
    replacement: str

    def put_into(self, verilog: str) -> str | None:
        """The Verilog with the mistake, None if it has no such place."""
        for found in re.finditer(
            rf"^module \w*?_{self.module}\(.*?^endmodule", verilog, re.M | re.S
        ):
            body, count = re.subn(self.pattern, self.replacement, found.group(), count=1)
            if count:
                return verilog[: found.start()] + body + verilog[found.end() :]
        return None


FAULTS: Sequence[Fault] = (
    Fault("a PE subtracts", "gated_adder", r"(\$signed\(\w+\)) \+ ", r"\1 - "),
    Fault(
        "requantisation forgets the half",
        "right_shifter",
        r"assign half = [^;]+;",
        "assign half = 1'h0;",
    ),
    Fault(
        "a multicast controller looks at the lowest bit of a tag only",
        r"multicast_controller\w*",
        r"(?s)(input \[\d+:0\] id;.*?)= tag == id;",
        r"\1= tag[0] == id[0];",
    ),
    Fault(
        "words go to the neighbour's address in the buffer",
        "box_loader",
        r"(write__payload\[\d+:0\] = )address;",
        r"\1address ^ 1'h1;",
    ),
    Fault(
        "a column's collector puts a beat's second psum into the first place",
        "column_collector",
        r"(?s)\? held_0 : (?=.*held_1)",
        "? held_1 : ",
    ),
    Fault(
        "the link's beats are put together in the wrong order",
        "word_assembler",
        r"\{ beats__payload, held \}",
        "{ held, beats__payload }",
    ),
    Fault(
        "the link takes a result word apart in steps of half a beat",
        "word_splitter",
        r"(words__payload >> )(\w+);",
        r"\1(\2 >> 1);",
    ),
)
