"""The report page of real networks."""
