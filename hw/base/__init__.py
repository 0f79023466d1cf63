"""What every block is made of: blocks, memories, queues, delays, layouts."""
