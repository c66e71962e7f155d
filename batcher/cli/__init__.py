"""The command `batcher`: nothing else knows argv, environment, signals, printing and exit codes.

commands.py declares commands and options; each command's body is in the file of its name and imported when it runs.
"""
