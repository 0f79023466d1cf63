"""One node of the graph on the array: geometry, cost and commands."""
