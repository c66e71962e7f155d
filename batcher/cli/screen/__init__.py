"""What a terminal or a pipe shows: progress, summaries and next steps."""
