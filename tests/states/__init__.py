"""Every state that a file system may leave of a real run's files when the power is cut, each recovered by the same command."""
