"""How `make test` goes about it: what it leaves when it ends early, what it begins with."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# The warm-up and a compiler that it started. Neither is of any use once ruff has complained.
WARM_UP = """#!/usr/bin/env python3
import os, pathlib, subprocess, sys, time
if sys.argv[-1] == "runtime":
    sys.exit()
os.setpgid(0, 0)
compiler = subprocess.Popen(["sleep", "60"])
pathlib.Path("warm.part").write_text(f"{os.getpid()} {compiler.pid}")
os.replace("warm.part", "warm")
time.sleep(60)
"""
WAIT_FOR_WARM_UP = "while ! test -e warm; do sleep 0.02; done"
PASSES = "#!/bin/sh\nexit 0\n"


def checkout(folder: Path, **changed: str) -> Path:
    """A folder with the Makefile, and pretended tools of an environment that is up to date."""
    texts = {"python": WARM_UP, "ruff": PASSES, "mypy": PASSES, "pytest": PASSES} | changed
    shutil.copy(ROOT / "Makefile", folder)
    shutil.copy(ROOT / "pyproject.toml", folder)
    tools = folder / ".venv" / "bin"
    tools.mkdir(parents=True)
    for name, text in texts.items():
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    stamps = folder / ".cache"
    stamps.mkdir()
    for stamp in ("prove", "dev"):
        (stamps / stamp).touch()
    return folder


def make_test(folder: Path, stdout: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """`make test` in a session of its own; what a surrounding make says does not count.

    A process in the background of a script ignores an interrupt, which its children would inherit.
    """
    environment = {key: value for key, value in os.environ.items() if "MAKE" not in key}
    return subprocess.Popen(
        ["make", "test"],
        cwd=folder,
        env=environment,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        stdout=stdout,
        stderr=subprocess.DEVNULL,
    )


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody waits for does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def survivors(folder: Path, seconds: float = 5) -> list[int]:
    """Which of the warm-up's processes still run after a while."""
    pids = [int(pid) for pid in (folder / "warm").read_text().split()]
    until = time.monotonic() + seconds
    while (left := [pid for pid in pids if alive(pid)]) and time.monotonic() < until:
        time.sleep(0.02)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    return left


linux_only = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")


def wait_for(path: Path) -> None:
    """Until a pretended tool has written a file."""
    until = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < until, path.name
        time.sleep(0.02)


@linux_only
def test_the_warm_up_ends_when_ruff_complains(tmp_path: Path) -> None:
    folder = checkout(tmp_path, ruff=f"#!/bin/sh\n{WAIT_FOR_WARM_UP}\nexit 1\n")
    assert make_test(folder).wait(timeout=30) == 2
    assert survivors(folder) == []


@linux_only
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("at", ["ruff", "pytest"])
def test_what_runs_beside_ends_on_an_interrupt(
    tmp_path: Path, sent: signal.Signals, at: str
) -> None:
    """As a terminal does it: the signal goes to all processes of the foreground."""
    stays = f"#!/bin/sh\n{WAIT_FOR_WARM_UP}\ntouch here\nexec sleep 20\n"
    tools = {at: stays}
    if at == "pytest":  # the warm-up is done, and mypy runs
        tools |= {"python": PASSES, "mypy": "#!/bin/sh\necho $$ >warm\nexec sleep 60\n"}
    folder = checkout(tmp_path, **tools)
    process = make_test(folder)
    wait_for(folder / "here")
    os.killpg(process.pid, sent)
    assert process.wait(timeout=30) != 0
    assert survivors(folder) == []


@pytest.mark.parametrize("fails", [None, "ruff", "mypy", "pytest", "python"])
def test_it_fails_where_a_part_of_it_fails(tmp_path: Path, fails: str | None) -> None:
    tools = {"python": PASSES}
    if fails:
        tools[fails] = "#!/bin/sh\necho complaint of $0\nexit 1\n"
    process = make_test(checkout(tmp_path, **tools), stdout=subprocess.PIPE)
    said = process.communicate(timeout=30)[0].decode()
    assert process.returncode == (2 if fails else 0)
    assert (f"bin/{fails}" in said) == bool(fails)


def test_a_campaign_has_its_own_number_and_takes_another() -> None:
    """`make c-runtime` runs 60 networks unless told."""
    for argument, expected in ((), "--n 60"), (("N=7",), "--n 7"):
        done = subprocess.run(
            ["make", "--dry-run", "--assume-old=.cache/dev", "c-runtime", *argument],
            cwd=ROOT,
            env={key: value for key, value in os.environ.items() if "MAKE" not in key},
            capture_output=True,
            text=True,
            check=True,
        )
        assert f"tests.campaigns.c_runtime.run {expected}" in done.stdout


def test_the_longest_tests_come_first() -> None:
    """Where they are still; else one of them may run alone at the end."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-p", "no:cacheprovider"]
    files = ("tests/test_glossary.py", "tests/tb/test_axi.py", "tests/test_wheel.py")
    done = subprocess.run([*command, *files], cwd=ROOT, capture_output=True, text=True, check=True)
    found = [line.partition("::")[0] for line in done.stdout.splitlines() if "::" in line]
    assert sorted(set(found), key=found.index) == [*files[1:], files[0]]


def test_the_first_warm_up_needs_none_of_the_packages_of_tests() -> None:
    """It runs while they are being installed."""
    code = "import sys, tests.warm_up; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    later = {"pytest", "cocotb", "sklearn", "onnxruntime", "optuna", "distributed", "ziglang"}
    assert not later & set(done.stdout.split())
