"""Programs in a memory of the accelerator's own: messages, images, records, and how they are made."""
