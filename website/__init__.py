"""The documentation as a site: pages, generated references, Sphinx, and a check."""
