"""The mapper's choice beside the mappings next to it, weighed by the exact cycle model."""
