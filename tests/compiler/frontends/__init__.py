"""Tests of `compiler.frontends`."""
