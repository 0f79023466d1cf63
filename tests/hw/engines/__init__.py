"""The engines that move operands and results."""
