"""The RTL observed from outside: values of its signals in every cycle, and waves of a window."""
