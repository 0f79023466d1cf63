"""Third-party models with recorded tensors, through the real command."""
