"""Before the first request: the state of each row, and what to do."""
