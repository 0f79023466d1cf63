"""The replayer: images in a memory become the core's streams, and its results go there."""
