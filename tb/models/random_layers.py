"""Random convolutions in mappings that fit a configuration."""

from random import Random

import numpy as np

from hw.arch.commands import Rounding
from hw.arch.config import Config
from hw.arch.config.modes import rounding_modes
from hw.arch.program import layout
from tb.models.mapping import Ints, MappedConvolution, Shape

_NOT_OF_SUMS = frozenset({Rounding.RAW, Rounding.DIVIDE})


def random_convolution(config: Config, random: Random, *, largest: int = 4000) -> MappedConvolution:
    """A convolution of at most `largest` MACs a PE, in a mapping that fits the configuration."""
    while True:
        shape = _random_shape(config, random)
        if shape is None or shape.E < 1 or shape.F < 1:
            continue
        divisors = [j for j in range(1, config.array.cols + 1) if shape.E % j == 0]
        side = shape.N * shape.groups
        shape.tiles = max(j for j in divisors if j * side <= config.array.cols or j == 1)
        if random.random() < 0.3:
            shape.tiles = 1
        if side * shape.tiles > config.array.cols or shape.span * shape.N > 1000:
            continue
        work = shape.N * shape.E * shape.F * shape.M * shape.R * shape.S
        work *= 1 if shape.mult else shape.C
        busy = shape.chain * shape.segments * side * shape.tiles
        if work > largest * busy * config.pe.macs:
            continue
        convolution = _fill(config, random, shape)
        if convolution.fits():
            return convolution


def _random_shape(config: Config, random: Random) -> Shape | None:
    """Everything but the tiles of output rows, or None where a draw does not fit."""
    R, S = random.randint(1, 3), random.randint(1, 3)
    mult = random.choice((0, 0, 0, 1, 2))
    K, units = config.pe.macs, config.post.units
    q = random.randint(1, max(1, min(8, config.pe.ifmap_spad // S)))
    groups_of_channels = random.randint(1, 4)
    if groups_of_channels > 1:
        q = -(-q // config.noc.ifmap) * config.noc.ifmap
    if q * S > config.pe.ifmap_spad:
        return None
    chains = [n for n in range(1, config.array.rows + 1) if R * groups_of_channels % n == 0]
    chain = random.choice([n for n in chains if R % n == 0] if mult else chains)
    segments = random.randint(1, config.array.rows // chain)
    if mult:
        divisors = [n for n in range(1, segments + 1) if groups_of_channels % n == 0]
        segments = random.choice(divisors)
        p, groups = q * mult, 1
        slots = q * -(-mult // K)
    else:
        p, groups = random.randint(1, 6), random.randint(1, config.array.cols)
        slots = -(-p // K)
    steps = -(-(mult or p) // K)
    if slots * K > config.pe.psum_spad or q * S * steps * K > config.filter_half:
        return None
    tiles = random.randint(1, 3)
    M = q * groups_of_channels * mult if mult else p * segments * groups * tiles
    if p % units and p != M:
        return None
    if config.post.channels < M:
        return None
    return Shape(
        N=random.choice((1, 1, 2)),
        M=M,
        C=q * groups_of_channels,
        H=random.randint(1, 7),
        W=random.randint(1, 7),
        R=R,
        S=S,
        stride=random.randint(1, 3),
        pad=random.randint(0, 2),
        dilation=random.randint(1, 2),
        mult=mult,
        q=q,
        p=p,
        chain=chain,
        segments=segments,
        tiles=1,
        groups=groups,
    )


def _fill(config: Config, random: Random, shape: Shape) -> MappedConvolution:
    """Data, requantisation and constants for a shape."""
    rng = np.random.default_rng(random.getrandbits(32))
    wide = config.array.data_width == 16
    signed = wide or random.random() < 0.7
    kind = np.dtype(f"{'i' if signed else 'u'}{config.array.data_width // 8}")
    low, high = int(np.iinfo(kind).min), int(np.iinfo(kind).max)
    zero = 0 if wide else random.randint(low, high)
    signed_weights = wide or not config.pe.weight_zero_points or random.random() < 0.5
    weights = np.dtype(f"{'i' if signed_weights else 'u'}{config.array.data_width // 8}")
    limits = np.iinfo(weights)
    zero_points = config.pe.weight_zero_points and not wide
    weight_zero = random.randint(int(limits.min), int(limits.max)) if zero_points else 0
    x = rng.integers(low, high + 1, (shape.N, shape.H, shape.W, shape.C)).astype(kind)
    if not wide:
        x[rng.random(x.shape) < 0.3] = zero
    last = shape.mult if shape.mult else shape.M
    w = rng.integers(limits.min, limits.max + 1, (shape.R, shape.S, shape.C, last)).astype(weights)
    K = config.pe.macs
    steps = -(-(shape.mult or shape.p) // K)
    mode = Rounding.RAW if random.random() < 0.2 else random.choice(_modes(config))
    narrow = shape.stride > shape.S
    out_signed = wide or random.random() < 0.7
    out = np.iinfo(np.dtype(f"{'i' if out_signed else 'u'}{config.array.data_width // 8}"))
    bounds = sorted(random.randint(int(out.min), int(out.max)) for _ in range(2))
    if random.random() < 0.7:
        bounds = [int(out.min), int(out.max)]
    constants = {
        "psums": shape.p,
        "steps": steps,
        "odd": steps * K - (shape.mult or shape.p),
        "diagonal": int(shape.mult > 0),
        "taps": shape.q * shape.S,
        "channels": shape.q,
        "advance": shape.q * min(shape.stride, shape.S),
        "windows": shape.F,
        "pixel_outer": shape.F if narrow else 1,
        "pixel_step": shape.stride if narrow else 0,
        "pixel_inner": shape.S if narrow else (shape.F - 1) * shape.stride + shape.S,
        "height": shape.H,
        "width": shape.W,
        "plane_stride": shape.H * shape.W,
        "zero": zero,
        "signed": int(signed),
        "weight_zero": weight_zero,
        "weight_signed": int(signed_weights),
        "items": shape.N,
        "item_tag": shape.span,
        "item_stride": layout.channel_blocks(config, shape.C) * shape.H * shape.W,
        "psum_beats": layout.psum_beats(config, shape.p),
        "plane": shape.E * shape.F,
        "mode": mode,
        "zero_point": 0 if wide else random.randint(int(out.min), int(out.max)),
        "low": bounds[0],
        "high": bounds[1],
    }
    if wide:
        constants["window_shift"] = random.choice((0, 5, 12, 16))
    return MappedConvolution(config, shape, x, w, _params(mode, shape.M, rng), constants, random)


def _modes(config: Config) -> list[Rounding]:
    """The modes that scale sums."""
    return sorted(rounding_modes(config) - _NOT_OF_SUMS)


def _params(mode: Rounding, M: int, rng: np.random.Generator) -> dict[str, Ints]:
    """Requantisation that uses the output's range: sums of products have some 16 bits."""
    zeros = np.zeros(M, np.int64)
    params = dict.fromkeys(("multiplier", "addend", "shift"), zeros)
    params["bias"] = rng.integers(-2000, 2000, M)
    if mode is Rounding.WIDE16:
        return params | {"shift": rng.integers(-9, 1, M)}
    if mode is Rounding.SCALE16:
        # Now and then a bias beyond 32 bits, which saturates the results.
        far = np.where(rng.random(M) < 0.1, rng.integers(0, 256, M), 0)
        factors = {"multiplier": rng.integers(0, 1 << 15, M), "shift": rng.integers(-20, 1, M)}
        return params | factors | {"addend": far}
    if mode is Rounding.ORT:
        scale = rng.uniform(1e-4, 2e-2, M).astype(np.float32)
        return params | {"multiplier": scale.view(np.uint32).astype(np.int64)}
    multiplier = rng.integers(1 << 30, 1 << 31, M)
    if mode is Rounding.AFFINE:
        params["addend"] = rng.integers(0, multiplier + 1)
    return params | {"multiplier": multiplier, "shift": rng.integers(-11, -4, M)}
