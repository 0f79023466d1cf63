"""TFLite models for tests."""
