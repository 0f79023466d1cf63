"""Tables of layer shapes, compared with estimates of models."""
