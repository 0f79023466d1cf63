"""A TFLite file as plain values, and the graph that is made of it."""
