"""What all boards share: their description, pins, clocks, reports and the tools that are called."""
