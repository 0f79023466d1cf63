"""The network between front ends and array: graph, operators, folds, bounds and refusals."""
