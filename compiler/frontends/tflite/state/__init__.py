"""TFLite operators that keep something from one inference to the next."""
