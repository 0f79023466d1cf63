"""Run the examples' pages: `python examples/run_pages.py keras pytorch`.

All `sh` blocks of `examples/NAME/README.md` are one script, run from the project's folder with the
environment that it makes removed before. Exit status 1 if a page fails.
"""

import argparse
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("keras", "pytorch")


def script(name: str) -> str:
    """The commands of a page."""
    page = (ROOT / "examples" / name / "README.md").read_text()
    return "".join(re.findall(r"^```sh\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL))


def run(name: str) -> bool:
    """Whether a page's commands all succeed from a clean environment."""
    for folder in (ROOT / ".cache" / "examples" / name, ROOT / "build" / name):
        shutil.rmtree(folder, ignore_errors=True)
    started = time.monotonic()
    command = ["bash", "-euvo", "pipefail", "-c", script(name)]
    status = subprocess.run(command, cwd=ROOT, check=False).returncode
    print(f"{name}: status {status}, {time.monotonic() - started:.0f} s", flush=True)
    return status == 0


def main() -> int:
    """Run the pages; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=NAMES, help="pages (all)")
    good = [run(name) for name in parser.parse_args().names]
    return int(not all(good))


if __name__ == "__main__":
    sys.exit(main())
