"""Where tensors live, and how an operator is cut into tiles that fit the buffer."""
