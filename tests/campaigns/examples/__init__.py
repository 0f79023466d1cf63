"""Campaign: networks of the kinds that users bring, each whole."""
