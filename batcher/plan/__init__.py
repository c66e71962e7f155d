"""Before the first request: where each row stands, and what is to be done."""
