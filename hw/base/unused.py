"""Amaranth's watch over components that are never elaborated, and how to end it for some of them.

Amaranth warns of every component that was made and not elaborated, because it usually was
forgotten. A block whose module exists already is not elaborated again, nor are the parts that it
made early, and nothing was forgotten. Amaranth has no public way to say so: this file alone touches
its private attribute, and a test fails when a release renames it.
"""

from amaranth.hdl import Elaboratable


def mark_used(owner: object) -> None:
    """Keep Amaranth from warning of a component, and of the parts that it holds."""
    if isinstance(owner, Elaboratable) and not getattr(owner, "_MustUse__used", True):
        owner._MustUse__used = True
        _mark_parts(owner)


def _mark_parts(owner: object) -> None:
    for part in vars(owner).values():
        for item in part if isinstance(part, list | tuple) else (part,):
            mark_used(item)
