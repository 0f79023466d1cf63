"""The contract shared by gateware, compiler, simulators and driver: plain Python, no Amaranth."""
