"""Acceptance of the benches: from the wheel, in an empty folder, on configurations drawn anew."""
