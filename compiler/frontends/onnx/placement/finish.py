"""Products whose result stays a float number: the array adds up integers, the host scales them."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from compiler.frontends.onnx.model.builder import OnnxBuilder
from compiler.frontends.onnx.placement.push import moved
from compiler.frontends.onnx.products.affine import Product, product_before
from compiler.frontends.onnx.products.mac import emit_conv, emit_product
from compiler.frontends.onnx.products.product import CONVOLUTIONS
from compiler.ir.ops import Array, HostStep
from numerics.host.sums import UNROUNDED


def finisher(builder: OnnxBuilder, name: str) -> Callable[[], None] | None:
    """What computes a float tensor that is a product of integers; None if it is not."""
    product = product_before(builder, name)
    return None if product is None else lambda: _finish(builder, product, name)


def _finish(builder: OnnxBuilder, product: Product, name: str) -> None:
    mac, raw = product.mac, product.mac.raw
    bare = replace(mac, bias=None, addend=None)
    emit = emit_conv if raw.op_type in CONVOLUTIONS else emit_product
    sums = emit(builder, bare, f"{raw.outputs[0]} (sums for {name})", None)
    own = f"{raw.outputs[0]} for {name}" if product.moves else name
    output = builder.declare(own, sums.layout, "float32")
    addend = np.zeros(1) if mac.addend is None else mac.addend
    if mac.bias is not None:
        addend = addend + mac.unit * mac.bias
    builder.emit(
        HostStep(
            name=f"{builder.label(raw)} output",
            op=raw.op_type,
            inputs=(sums.key,),
            output=output.key,
            reason=(
                f"{UNROUNDED}: the host scales the array's sums and goes on in float32; what is "
                "quantised later may be one step off beside a rounding edge, since ONNX Runtime's "
                "float32 sums differ from the real number by at "
                f"most {float(mac.float_error().max()):.2g}"
            ),
            function="finish_sums",
            parameters={"scale": _numbers(mac.unit), "addend": _numbers(addend)},
        )
    )
    if product.moves:
        moved(builder, product, output, name)


def _numbers(values: Array) -> tuple[float, ...]:
    return tuple(float(value) for value in values.reshape(-1))
