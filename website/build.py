"""Builds the site: `python -m website.build -o build/site`; exit status 1 if anything is wrong.

Warnings of Sphinx are errors. Afterwards every link and anchor of the built pages is followed, and
a page that loads something from outside is a fault.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from website.check import faults
from website.contents import ROOT, START
from website.stage import stage

_FIRST = """<!doctype html>
<meta charset="utf-8">
<title>Rowforge</title>
<meta http-equiv="refresh" content="0; url={page}">
<a href="{page}">Rowforge</a>
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="website.build", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "build" / "site")
    parser.add_argument("--quick", action="store_true", help="without the docstrings of modules")
    options = parser.parse_args(arguments)
    site: Path = options.output.resolve()
    source, kept = site.with_name(f"{site.name}-source"), site.with_name(f"{site.name}-doctrees")
    stage(source, modules=not options.quick)
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
    command += ["-c", str(Path(__file__).parent), "-d", str(kept), str(source), str(site)]
    built = subprocess.run(command, cwd=ROOT, check=False).returncode
    page = START.with_suffix(".html").as_posix()
    (site / "index.html").write_text(_FIRST.format(page=page), encoding="utf-8")
    wrong = faults(site)
    print("\n".join(wrong))
    pages = len(list(site.rglob("*.html")))
    print(f"{pages} pages, Sphinx's status {built}, {len(wrong)} faults of links and addresses")
    return int(built != 0 or bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
