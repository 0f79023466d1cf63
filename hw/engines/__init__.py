"""What moves filters, ifmaps and psums in a pass, and the tables it reads."""
