"""Memory macros of processes, and the memories that are composed of them."""
