"""A copy of the source tree in which mutants are tried, and commands run in it."""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.support.workloads import ROOT as WORKLOADS

ROOT = Path(__file__).parents[3]
_OUTPUT_LINES = 12  # of a failed command that are kept


@dataclass(frozen=True)
class Done:
    """How a command ended: `status` is None if its time ran out."""

    status: int | None
    output: str
    seconds: float

    @property
    def good(self) -> bool:
        """It ended with status 0."""
        return self.status == 0

    @property
    def tail(self) -> str:
        """The last lines of what it printed."""
        return "\n".join(self.output.splitlines()[-_OUTPUT_LINES:])


class Tree:
    """A copy of all files that git knows or would add.

    Parameters
    ----------
    folder : an empty folder; the copy lies in `source`, the simulators in `cache`, the rest is free
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source = folder / "source"
        self._cache = folder / "cache"
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard", "-z"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout.decode()
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file():
                target = self.source / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, target)

    def python(self, *arguments: str, limit: float) -> Done:
        """Run Python with these arguments in the copy, for so many seconds at most."""
        environment = {
            **os.environ,
            "ROWFORGE_CACHE": str(self._cache),
            "ROWFORGE_WORKLOADS": str(WORKLOADS),
            "PYTHONPATH": str(self.source),
            "PYTHONDONTWRITEBYTECODE": "1",  # mutants may have equal sizes and times
        }
        started = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=self.source,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=max(limit, 1.0))
            status: int | None = process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            output, _ = process.communicate()
            status = None
        return Done(status, output, time.monotonic() - started)

    def path(self, name: str) -> Path:
        """A file of the copy."""
        return self.source / name

    def tests_beside(self, name: str) -> list[str]:
        """The folder of tests that mirrors a source file's own folder, if there is one."""
        folder = Path("tests") / Path(name).parent
        return [str(folder)] * (self.source / folder).is_dir()

    def tests_of(self, name: str) -> list[str]:
        """Test files that import the module of a source file, or mirror its place."""
        module = name.removesuffix(".py").replace("/", ".")
        package, _, leaf = module.rpartition(".")
        named = (f"from {module} import", f"import {module}", f"from {package} import {leaf}")
        found = []
        for test in sorted((self.source / "tests").rglob("test_*.py")):
            if any(text in test.read_text() for text in named):
                found.append(str(test.relative_to(self.source)))
        mirrored = Path("tests") / Path(name).parts[0]
        if name.startswith("hw/arch/"):
            mirrored = Path("tests/hw/arch")
        return found + [str(mirrored)] * (self.source / mirrored).is_dir()
