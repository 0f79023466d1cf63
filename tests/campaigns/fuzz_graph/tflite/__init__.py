"""Random TFLite graphs."""
