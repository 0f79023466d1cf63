"""TFLite model files."""
