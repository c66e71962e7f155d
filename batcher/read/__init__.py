"""Files → rows, one at a time, whatever the format."""
