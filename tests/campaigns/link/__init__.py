"""The framed link under damage: seeded faults between the driver and the device's end."""
