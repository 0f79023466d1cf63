"""Commands that help to choose a model's layers or a configuration."""
