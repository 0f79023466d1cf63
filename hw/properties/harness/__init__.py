"""What properties are made with: the bench around a block, its insides, the blocks of a design."""
