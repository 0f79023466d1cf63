"""What was searched for before, in files of the user's cache folder: see `compiler.cache.kept`."""
