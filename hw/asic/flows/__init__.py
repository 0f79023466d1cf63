"""What flows from netlist to layout read of a design."""
