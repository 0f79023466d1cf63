"""Channels that need not be computed, since they are constant or nobody reads them."""
