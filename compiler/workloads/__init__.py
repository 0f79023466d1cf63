"""Published networks and single layers as graphs without weights."""
