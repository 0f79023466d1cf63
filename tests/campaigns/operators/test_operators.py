"""The tables of operators are what the command writes, and what it observes is true."""

import json
from pathlib import Path

import numpy as np

from rowforge.configs import preset
from tests.campaigns.fuzz_graph.run import FORMATS
from tests.campaigns.fuzz_graph.runner import run_case
from tests.campaigns.operators.files import Found, operators_of
from tests.campaigns.operators.observe import MICRO, ORT, OWN, TWIN, Observer
from tests.campaigns.operators.pairs import of_one_operator, recorded, summed
from tests.campaigns.operators.run import lacking, observe_graphs, records
from tests.campaigns.operators.tables import ORACLES, PAGE, REGISTRY, RESULTS, rendered, tables
from tests.support.tflite.checking import check, check_twin, compare, tflm_outputs
from tests.support.tflite.layers import LayerWriter


def kept(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def relu(layers: LayerWriter) -> tuple[list[int], int]:
    x = layers.activation((1, 40))
    return [x], layers.unary("RELU", x, rescaled=True)


def test_the_page_is_what_the_command_writes() -> None:
    page = PAGE.read_text(encoding="utf-8")
    made = tables(kept(RESULTS), kept(ORACLES))
    assert rendered(page, made) == page
    assert all(f"<!-- table: {name} -->" in page for name in made)


def test_every_operator_of_the_registry_is_compared() -> None:
    found = kept(RESULTS)["operators"]
    assert lacking(found) == []
    assert lacking([one for one in found if one["operator"] != "TILE"]) == ["tflite TILE"]
    assert {one["operator"] for one in found} == REGISTRY["tflite"] | REGISTRY["onnx"]


def test_what_is_seen_now_is_in_the_results() -> None:
    """Three random graphs: no operator, type or place that the kept results lack."""
    observer = Observer()
    observe_graphs(observer, 1, 3)
    there = {(o["format"], o["operator"], o["type"]): o for o in kept(RESULTS)["operators"]}
    seen = records(observer)
    assert {one["format"] for one in seen} == {"tflite", "onnx"}
    for one in seen:
        known = there[one["format"], one["operator"], one["type"]]
        assert one["places"].keys() <= known["places"].keys(), one
        assert one["oracles"].keys() <= known["oracles"].keys(), one


def test_oracles_are_told_apart(tmp_path: Path) -> None:
    observer = Observer()
    with observer.watching():
        with observer.case("micro") as passed:
            layers = LayerWriter(0)
            check(layers, *relu(layers), tmp_path)
            passed.append(True)
        with observer.case("twin") as passed:
            check_twin(relu, 1, tmp_path)
            passed.append(True)
        with observer.case("own") as passed:
            layers = LayerWriter(2, unsigned=True)
            x = layers.activation((1, 4), scale=0.1, zero_point=3)
            y = layers.writer.operator("RELU", [x], layers.like(x, (1, 4)))
            values = np.array([[0, 130, 131, 255]], np.uint8)
            compare(layers.finish([x], [y]), [values], [np.maximum(values, 131)], tmp_path)
            passed.append(True)
        with observer.case("failed"):
            check_twin(relu, 3, tmp_path)
    found = {key: tally.oracles for key, tally in observer.tallies.items()}
    assert found == {
        ("tflite", "RELU", "int8"): {MICRO: 1},
        ("tflite", "RELU", "uint8"): {TWIN: 1, OWN: 1},
    }
    assert observer.tallies["tflite", "RELU", "uint8"].tests == {"own"}
    assert observer.tallies["tflite", "RELU", "int8"].places == {"post-processor": 1}


def test_types_of_an_onnx_file(tmp_path: Path) -> None:
    kind, observer = FORMATS["onnx"], Observer()
    case = kind.make(1, 0)
    with observer.watching(), observer.case("onnx") as passed:
        passed.append(not run_case(case, kind, tmp_path, preset("tiny")).message)
    found = operators_of("onnx", case.content)
    assert {one.dtype for one in found} <= {"int8", "uint8", "int32", "float32"}
    assert all(tally.oracles.keys() == {ORT} for tally in observer.tallies.values())
    assert len(observer.tallies) == len({(one.operator, one.dtype) for one in found})


def test_runs_are_recorded_for_another_interpreter() -> None:
    layers = LayerWriter(4)
    inputs, output = relu(layers)
    content, runs = layers.finish(inputs, [output]), []
    values = layers.input_values(inputs[0])
    with recorded(runs):
        (given,) = tflm_outputs(content, [values], 1)
    ((operator, dtype, run),) = of_one_operator(runs)
    assert (operator, dtype) == ("RELU", "int8")
    np.testing.assert_array_equal(run.inputs[0], values)
    np.testing.assert_array_equal(run.outputs[0], given)
    answers = [{"reference": 3, "optimised": "no kernel"}]
    (record,) = summed([("RELU", "int8", run)], answers)
    assert record["reference"] == {"differ": 1, "values": 3}
    assert record["optimised"]["not run"] == 1
    assert operators_of("tflite", content) == (Found(0, "RELU", "int8"),)
