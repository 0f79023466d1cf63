"""The cycle contract: the model's cycles beside the counters of the RTL, layer by layer."""
