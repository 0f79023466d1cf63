"""The C runtime in a process of its own: its build, and the accelerator at the end of its pipe."""
