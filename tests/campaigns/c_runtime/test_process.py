"""The C runtime's process and the campaign's options, where something is wrong with them."""

import io

import numpy as np
import pytest

from sw_driver.c.records import ElementType
from tests.campaigns.c_runtime import run
from tests.support.c_runtime.process import _tensor


def test_a_process_that_ends_within_a_tensor_is_not_waited_for():
    words = [str(ElementType.INT8.value), "4", "2", "2"]
    whole = _tensor(words, io.BytesIO(bytes([1, 2, 3, 4])))
    assert np.array_equal(whole, [[1, 2], [3, 4]])
    with pytest.raises(EOFError, match="after 3 of 4 bytes"):
        _tensor(words, io.BytesIO(bytes([1, 2, 3])))


def test_a_part_that_there_is_not_is_refused(capsys):
    with pytest.raises(SystemExit, match="2"):
        run.main(["--parts", "models,network"])
    assert "'network' is none of models, networks, damage, compilers" in capsys.readouterr().err
