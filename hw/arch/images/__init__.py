"""Programs in a memory of the accelerator's own: messages, images, and how they are made."""
