"""Products whose result stays a float number: the array adds up integers, the host scales them."""

from collections.abc import Callable

from compiler.frontends.onnx.model.builder import OnnxBuilder
from compiler.frontends.onnx.placement.parts import numbers, real_parameters, sums_of_parts
from compiler.frontends.onnx.placement.push import moved
from compiler.frontends.onnx.products.affine import Product, product_before
from compiler.ir.ops import HostStep
from numerics.host.sums import UNROUNDED


def finisher(builder: OnnxBuilder, name: str) -> Callable[[], None] | None:
    """What computes a float tensor that is a product of integers; None if it is not."""
    product = product_before(builder, name)
    return None if product is None else lambda: _finish(builder, product, name)


def _finish(builder: OnnxBuilder, product: Product, name: str) -> None:
    mac, raw = product.mac, product.mac.raw
    sums = sums_of_parts(builder, mac, name)
    own = f"{raw.outputs[0]} for {name}" if product.moves else name
    output = builder.declare(own, sums[0].layout, "float32")
    scale, addend = real_parameters(mac)
    builder.emit(
        HostStep(
            name=f"{builder.label(raw)} output",
            op=raw.op_type,
            inputs=tuple(part.key for part in sums),
            output=output.key,
            reason=(
                f"{UNROUNDED}: the host scales the array's sums and goes on in float32; what is "
                "quantised later may be one step off beside a rounding edge, since ONNX Runtime's "
                "float32 sums differ from the real number by at "
                f"most {float(mac.float_error().max()):.2g}"
            ),
            function="finish_sums",
            parameters={"scale": numbers(scale), "addend": numbers(addend)},
        )
    )
    if product.moves:
        moved(builder, product, output, name)
