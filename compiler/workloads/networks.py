"""Shape lists of well-known networks, as graphs of convolutions without weights of their own.

Sources: AlexNet (Krizhevsky 2012, grouped), VGG-16 (Simonyan 2015), GoogLeNet (Szegedy 2015),
ResNet-50 v1 (He 2016), MobileNetV1 (Howard 2017), FastDepth (Wofk 2019, pruned). Only
multiply-accumulate layers are listed; one that does not fit after its predecessor (pooling,
upsampling, branches) reads an input of its own.
"""

from collections.abc import Iterator, Sequence

from compiler.ir.graph import Graph
from compiler.workloads.layers import LayerShape, layer_graph
from hw.arch.errors import RowforgeError


def alexnet() -> Iterator[LayerShape]:
    """Five convolutions in two groups where the original split them, three dense layers."""
    yield LayerShape("conv1", 227, 3, 96, 11, 4)
    yield LayerShape("conv2", 27, 96, 256, 5, 1, 2, 2)
    yield LayerShape("conv3", 13, 256, 384, 3, 1, 1)
    yield LayerShape("conv4", 13, 384, 384, 3, 1, 1, 2)
    yield LayerShape("conv5", 13, 384, 256, 3, 1, 1, 2)
    yield LayerShape("fc6", 6, 256, 4096, 6)
    yield LayerShape("fc7", 1, 4096, 4096, 1)
    yield LayerShape("fc8", 1, 4096, 1000, 1)


def vgg16() -> Iterator[LayerShape]:
    """Thirteen 3 x 3 convolutions, three dense layers."""
    H, C = 224, 3
    for stage, (count, M) in enumerate(((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)), start=1):
        for number in range(1, count + 1):
            yield LayerShape(f"conv{stage}-{number}", H, C, M, 3, 1, 1)
            C = M
        H //= 2
    yield LayerShape("fc6", 7, 512, 4096, 7)
    yield LayerShape("fc7", 1, 4096, 4096, 1)
    yield LayerShape("fc8", 1, 4096, 1000, 1)


def googlenet() -> Iterator[LayerShape]:
    """Without the two auxiliary classifiers of training."""
    yield LayerShape("conv1", 224, 3, 64, 7, 2, 3)
    yield LayerShape("conv2_reduce", 56, 64, 64, 1)
    yield LayerShape("conv2", 56, 64, 192, 3, 1, 1)
    # 1 x 1, before 3 x 3, 3 x 3, before 5 x 5, 5 x 5, after pooling
    stages = {
        28: ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
        14: (
            *((192, 96, 208, 16, 48, 64), (160, 112, 224, 24, 64, 64), (128, 128, 256, 24, 64, 64)),
            *((112, 144, 288, 32, 64, 64), (256, 160, 320, 32, 128, 128)),
        ),
        7: ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
    }
    C = 192
    for stage, (H, blocks) in enumerate(stages.items(), start=3):
        for letter, (one, reduce3, three, reduce5, five, pooled) in zip(
            "abcde", blocks, strict=False
        ):
            name = f"inception{stage}{letter}"
            yield LayerShape(f"{name}_1x1", H, C, one, 1)
            yield LayerShape(f"{name}_reduce3", H, C, reduce3, 1)
            yield LayerShape(f"{name}_3x3", H, reduce3, three, 3, 1, 1)
            yield LayerShape(f"{name}_reduce5", H, C, reduce5, 1)
            yield LayerShape(f"{name}_5x5", H, reduce5, five, 5, 1, 2)
            yield LayerShape(f"{name}_pooled", H, C, pooled, 1)
            C = one + three + five + pooled
    yield LayerShape("fc", 1, C, 1000, 1)


def resnet50() -> Iterator[LayerShape]:
    """Version 1: the stride is in the first 1 x 1 convolution of a stage."""
    yield LayerShape("conv1", 224, 3, 64, 7, 2, 3)
    H, C = 56, 64
    stages = ((64, 256, 3, 1), (128, 512, 4, 2), (256, 1024, 6, 2), (512, 2048, 3, 2))
    for stage, (mid, out, blocks, first_stride) in enumerate(stages, start=2):
        for block in range(1, blocks + 1):
            stride = first_stride if block == 1 else 1
            name, E = f"conv{stage}_{block}", H // stride
            yield LayerShape(f"{name}a", H, C, mid, 1, stride)
            yield LayerShape(f"{name}b", E, mid, mid, 3, 1, 1)
            yield LayerShape(f"{name}c", E, mid, out, 1)
            if block == 1:
                yield LayerShape(f"{name}s", H, C, out, 1, stride)
            H, C = E, out
    yield LayerShape("fc", 1, 2048, 1000, 1)


def _mobilenet(size: int, width: float) -> Iterator[LayerShape]:
    def channels(count: int) -> int:
        return int(count * width)

    pairs = (
        (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2),
        (512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1),
    )  # fmt: skip
    yield LayerShape("conv", size, 3, channels(32), 3, 2, 1)
    H, C = size // 2, channels(32)
    for number, (out, stride) in enumerate(pairs, start=1):
        yield LayerShape(f"dw{number}", H, C, C, 3, stride, 1, C)
        H //= stride
        yield LayerShape(f"pw{number}", H, C, channels(out), 1)
        C = channels(out)
    yield LayerShape("fc", 1, C, 1000, 1)


def mobilenet_v1() -> Iterator[LayerShape]:
    """Width 1.0 on 224 x 224 images."""
    return _mobilenet(224, 1.0)


def mobilenet_v1_small() -> Iterator[LayerShape]:
    """Width 0.5 on 128 x 128 images."""
    return _mobilenet(128, 0.5)


def fastdepth() -> Iterator[LayerShape]:
    """Pruned encoder of depthwise pairs; decoder of 5 x 5 depthwise pairs between upsamplings."""
    yield LayerShape("conv", 224, 3, 16, 3, 2, 1)
    H, C = 112, 16
    encoder = (
        (56, 1), (88, 2), (120, 1), (144, 2), (256, 1), (408, 2), (376, 1),
        (272, 1), (288, 1), (296, 1), (328, 1), (480, 2), (512, 1),
    )  # fmt: skip
    for number, (out, stride) in enumerate(encoder, start=1):
        yield LayerShape(f"dw{number}", H, C, C, 3, stride, 1, C)
        H //= stride
        yield LayerShape(f"pw{number}", H, C, out, 1)
        C = out
    for number, out in enumerate((200, 256, 120, 56, 16), start=1):
        yield LayerShape(f"decode{number}_dw", H, C, C, 5, 1, 2, C)
        yield LayerShape(f"decode{number}_pw", H, C, out, 1)
        H, C = 2 * H, out
    yield LayerShape("decode6", H, C, 1, 1)


NETWORKS = {
    "alexnet": alexnet,
    "vgg16": vgg16,
    "googlenet": googlenet,
    "resnet50": resnet50,
    "mobilenet_v1": mobilenet_v1,
    "mobilenet_v1_0.5_128": mobilenet_v1_small,
    "fastdepth": fastdepth,
}


def network_layers(name: str) -> tuple[LayerShape, ...]:
    """The layers of a network; `RowforgeError` if there is none of that name."""
    if name not in NETWORKS:
        raise RowforgeError(f"network must be one of {', '.join(NETWORKS)}, not {name!r}")
    return tuple(NETWORKS[name]())


def conv_layers(name: str) -> tuple[LayerShape, ...]:
    """The layers of a network but for dense ones, which have a single output pixel."""
    return tuple(layer for layer in network_layers(name) if layer.output != (1, 1))


def choose_layers(layers: Sequence[LayerShape], chosen: str) -> tuple[LayerShape, ...]:
    """Some layers, in their own order.

    Parameters
    ----------
    layers : what there is to choose from
    chosen : names ("conv1-2") and positions from 1 on ("2"), parted by commas
    """
    names = [layer.name for layer in layers]
    wanted = set()
    for word in (part.strip() for part in chosen.split(",")):
        if word in names:
            wanted.add(word)
        elif word.isdecimal() and 1 <= int(word) <= len(names):
            wanted.add(names[int(word) - 1])
        else:
            raise RowforgeError(
                f"--layers must name layers among {', '.join(names)} or count them from 1 to "
                f"{len(names)}, not {word!r}"
            )
    return tuple(layer for layer in layers if layer.name in wanted)


def network_graph(name: str, *, data_width: int = 8, batch: int = 1) -> Graph:
    """A network of zero weights that take no memory: for estimates, not for results.

    Parameters
    ----------
    name : a key of `NETWORKS`
    data_width : 8 (int8 tensors) or 16
    batch : items of every tensor
    """
    return layer_graph(name, network_layers(name), data_width=data_width, batch=batch)
