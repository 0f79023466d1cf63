"""What is proven of blocks: each property is gateware around the block that it speaks of."""
