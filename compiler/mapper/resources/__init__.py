"""What keeps a pass busy: the resources of each kind of hardware, and the words that they move."""
