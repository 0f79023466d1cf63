"""List the configurations that ship with the package."""

import argparse
import json
from dataclasses import fields

from hw.arch.config import Config
from hw.arch.configfile import config_hash, render_toml
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
    values: dict[str, object] = {item.name: getattr(config, item.name) for item in fields(config)}
    return {"hash": f"{config_hash(config):016x}", **values}


def _size(config: Config) -> str:
    buffer = config.glb_banks * config.glb_depth * config.glb_width // 8
    double = " of 2 MACs" if config.macs_per_pe == 2 else ""
    return (
        f"{config.rows} × {config.cols} PEs{double}, {config.data_width}-bit data, "
        f"{config.psum_width}-bit psums, {buffer / 1024:.0f} KiB buffer"
    )
