"""Does what the tutorials say: `python -m website.run_pages`; exit status 1 if a page fails.

The `sh` and `python` blocks of a page are one script, run in a fresh folder with the Python that
runs this module. With `--fresh` the blocks marked `bash`, which make an environment and install
packages, run too, with this checkout as the package; nothing of the present environment is then
seen. Blocks without a language, and those of other languages, are not run.
"""

import argparse
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from website.contents import ROOT

TUTORIALS = ROOT / "docs" / "tutorials"
NOTEBOOKS = ROOT / "docs" / "notebooks"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEREDOC = "END_OF_PYTHON"
_TIMEOUT = 3600  # seconds of a page
_SHOWN = 30  # last lines of one that failed


def script(page: str, *, fresh: bool = False) -> str:
    """The commands of a page as one text for bash."""
    parts = []
    for language, body in _BLOCK.findall(page):
        if language == "sh":
            parts.append(body)
        elif language == "python":
            parts.append(f"python - <<'{_HEREDOC}'\n{body}{_HEREDOC}\n")
        elif language == "bash" and fresh:
            parts.append(re.sub(r"'?\browforge(\[\w+\])?'?$", rf"'{ROOT}\1'", body, flags=re.M))
    return "".join(parts)


def run(page: Path, *, fresh: bool = False) -> bool:
    """Whether all commands of a page succeed in a fresh folder."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        here = dict(os.environ)
        if fresh:
            here = {name: here[name] for name in ("PATH", "HOME", "LANG") if name in here}
            here["ROWFORGE_CACHE"] = str(Path(folder) / "cache")
        else:
            here["PATH"] = f"{Path(sys.executable).parent}:{here['PATH']}"
            here["PYTHONPATH"] = f"{ROOT}:{here.get('PYTHONPATH', '')}".rstrip(":")
        work = Path(folder) / "work"
        work.mkdir()
        text = script(page.read_text(encoding="utf-8"), fresh=fresh)
        status, said = _done(["bash", "-euo", "pipefail", "-c", text], work, here)
    if status:
        print("\n".join(said.splitlines()[-_SHOWN:]))
    print(f"{page.name}: status {status}, {time.monotonic() - started:.0f} s", flush=True)
    return status == 0


def _done(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> tuple[int, str]:
    """Status and output of a command; whatever it left running is ended."""
    with (folder.parent / "said").open("w+", encoding="utf-8") as said:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = process.wait(timeout=_TIMEOUT)
        except subprocess.TimeoutExpired:
            said.write(f"not done after {_TIMEOUT} s\n")
            status = 1
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        said.seek(0)
        return status, said.read()


def run_notebook(path: Path) -> bool:
    """Whether every cell of a notebook runs, in a copy of it."""
    from website.notebooks import executed  # needs packages that pages do not

    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copy(path, folder))
        try:
            executed(copy)
            failure = ""
        except Exception as error:  # of a cell: any
            failure = str(error)
    print(failure, end="\n" if failure else "")
    print(f"{path.name}: {'failed' if failure else 'ran'}, {time.monotonic() - started:.0f} s")
    return not failure


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="website.run_pages", description=__doc__)
    parser.add_argument("names", nargs="*", help="pages and notebooks by the stem of their names")
    parser.add_argument("--fresh", action="store_true", help="in an environment made for each page")
    options = parser.parse_args(arguments)
    pages = sorted(TUTORIALS.glob("*.md")) + sorted(NOTEBOOKS.glob("*.ipynb"))
    chosen = [page for page in pages if not options.names or page.stem in options.names]
    if unknown := {*options.names} - {page.stem for page in pages}:
        parser.error(f"no page is named {', '.join(sorted(unknown))}")
    good = [
        run_notebook(page) if page.suffix == ".ipynb" else run(page, fresh=options.fresh)
        for page in chosen
    ]
    return int(not good or not all(good))


if __name__ == "__main__":
    sys.exit(main())
