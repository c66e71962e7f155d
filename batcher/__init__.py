"""Create Omni documents in batches: never twice, never lost, at the rate that is allowed."""

__version__ = "0.1.0"
