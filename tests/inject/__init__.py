"""One system call of a real run made to fail, the n-th of its kind, for each n: the same command then finishes the work."""
