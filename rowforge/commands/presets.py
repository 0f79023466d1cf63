"""List the configurations that ship with the package."""

import argparse
import json

from hw.arch.config import Config
from hw.arch.config.file import config_hash, render_toml
from rowforge.configs import preset, preset_names, preset_summary


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A name, to see the fields of one."""
    parser.add_argument("name", nargs="?", help="show this one in full, as a TOML file")
    parser.add_argument("--json", action="store_true", help="one object, every field")


def run(args: argparse.Namespace) -> int:
    """Print them."""
    names = preset_names() if args.name is None else [args.name]
    configs = {name: preset(name) for name in names}
    if args.json:
        print(json.dumps({name: _document(config) for name, config in configs.items()}, indent=1))
    elif args.name is not None:
        print(f"# {preset_summary(args.name)}")
        print(render_toml(configs[args.name]), end="")
    else:
        width = max(len(name) for name in names)
        for name, config in configs.items():
            print(f"{name.ljust(width)}  {_size(config)}")
            print(f"{' ' * width}  {preset_summary(name)}")
    return 0


def _document(config: Config) -> dict[str, object]:
    return {"hash": f"{config_hash(config):016x}", **config.as_dict()}


def _size(config: Config) -> str:
    buffer = config.buffer.banks * config.buffer.depth * config.buffer.width // 8
    double = " of 2 MACs" if config.pe.macs == 2 else ""
    return (
        f"{config.array.rows} × {config.array.cols} PEs{double}, "
        f"{config.array.data_width}-bit data, {config.array.psum_width}-bit psums, "
        f"{buffer / 1024:.0f} KiB buffer"
    )
