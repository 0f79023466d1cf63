"""Processes that evaluate end with their search."""

import os
import signal
import subprocess
import sys

import pytest

SEARCH = """
import os, time
from rowforge.exploring.evaluators import ProcessEvaluator
print(ProcessEvaluator(1)._pool.submit(os.getpid).result(), flush=True)
time.sleep(60)
"""
PATIENCE = 60  # seconds, on a machine with much else to do


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
def test_a_search_that_is_killed_leaves_no_process():
    search = subprocess.Popen([sys.executable, "-c", SEARCH], stdout=subprocess.PIPE, text=True)
    assert search.stdout is not None
    worker = int(search.stdout.readline())
    assert alive(worker)
    search.kill()
    try:
        said, _ = search.communicate(timeout=PATIENCE)  # ends when no process has the pipe any more
    except subprocess.TimeoutExpired:
        os.kill(worker, signal.SIGKILL)
        raise
    assert said == ""
