"""What to do about an operator that no front end reads: one change for each type.

Every operator that a remedy names is one that is read, so that the advice can be followed.
"""

_CUT = "end the model before it, or cut the model in two there, and compute it in the application"
_ACTIVATION = "train with {0} in its place"
_CONTROL = "export the model without control flow"
_RECURRENT = "train with convolutions over time in its place"


def _reshaped(reshape: str, transpose: str) -> str:
    return f"write it as {reshape}, {transpose} and {reshape}"


def _upsampled(reshape: str, concat: str) -> str:
    return (
        f"repeat rows, then columns, with {reshape}, {concat} of the tensor with itself and "
        f"{reshape}"
    )


def _subpixel(conv: str, reshape: str, transpose: str) -> str:
    return (
        f"write it as {conv} to stride x stride times as many channels, then {reshape}, "
        f"{transpose} and {reshape}"
    )


_TFLITE_STEP = _ACTIVATION.format("RELU6, HARD_SWISH or LOGISTIC")

TFLITE: dict[str, str] = {
    "GELU": _TFLITE_STEP,
    "RELU_0_TO_1": _ACTIVATION.format("RELU6"),
    "FAKE_QUANT": "convert the trained model with full int8 quantisation",
    "RNN": _RECURRENT,
    "LSTM": _RECURRENT,
    "UNIDIRECTIONAL_SEQUENCE_RNN": _RECURRENT,
    "BIDIRECTIONAL_SEQUENCE_RNN": _RECURRENT,
    "BIDIRECTIONAL_SEQUENCE_LSTM": _RECURRENT,
    "IF": _CONTROL,
    "WHILE": _CONTROL,
}

_ONNX_STEP = _ACTIVATION.format("Relu, HardSwish or Sigmoid")
_ONNX_NORM = "train with BatchNormalization after a Conv in its place"

ONNX: dict[str, str] = {
    "Shape": "export the model with fixed shapes",
    "Sum": "write it as Add",
    "Pow": "write it as Mul of the tensor with itself if it squares; else " + _CUT,
    "QLinearReduceMean": "write it as DequantizeLinear, ReduceMean and QuantizeLinear",
    **dict.fromkeys(
        (
            "qonnx.custom_op.general.Quant",
            "qonnx.custom_op.general.IntQuant",
            "onnx.brevitas.Quant",
        ),
        "quantise to 2 to 8 bits with constant scales, zero point 0 and rounding to even",
    ),
    "LogSoftmax": "end the model with Softmax, or before it",
    **dict.fromkeys(("Elu", "Selu", "Celu", "Mish", "Softplus", "Softsign"), _ONNX_STEP),
    **dict.fromkeys(
        ("InstanceNormalization", "LayerNormalization", "GroupNormalization", "LpNormalization"),
        _ONNX_NORM,
    ),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), _RECURRENT),
    **dict.fromkeys(("If", "Loop", "Scan"), _CONTROL),
}

TWO_ACTIVATIONS = "it multiplies two activations"
TWO_ACTIVATIONS_REMEDY = (
    "the array takes weights from the model: make one operand a constant, or " + _CUT
)
UNKNOWN = "no such operator is supported"


def tflite_remedy(op: str) -> str:
    """The change that helps where a TFLite model holds an operator that is not read."""
    return TFLITE.get(op, _CUT)


def onnx_remedy(op: str) -> str:
    """The change that helps where an ONNX model holds an operator that is not read."""
    return ONNX.get(op, _CUT)
