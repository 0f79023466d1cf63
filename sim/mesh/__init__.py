"""Several clusters without time."""

from sim.mesh.functional import FunctionalMesh

__all__ = ["FunctionalMesh"]
