"""Layer shapes and what each costs on a configuration."""
