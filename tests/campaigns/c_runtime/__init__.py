"""The C runtime on recorded models, random networks and bad programs, beside the Python driver."""
