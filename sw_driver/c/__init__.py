"""Programs for a host without Python: the C runtime, its header, and the form that it reads."""
