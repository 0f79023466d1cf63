"""Random graphs as model files, against the interpreter that defines what they mean."""
