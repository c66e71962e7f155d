"""What batcher costs: one command, `python -m tests.benchmarks`, prints one table of ratios."""
