"""The three files of a run (results, failures, journal): written, synced, repaired and read back."""
