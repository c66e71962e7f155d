"""Each command's whole flow, without a terminal: run, status, check online, verify, undo and create."""
