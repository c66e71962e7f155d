"""Real processes, killed at random instants against a real server that misbehaves, until the work is done.

    python -m tests.crash --kills 300              each mode: filled, own and no identifiers; prints its numbers

siege.py   one input under siege: run, strike, run again … and then ask the server
blow.py    at which instant of a run's life which signal falls
life.py    one life of `batcher run`: forked or started anew, watched, struck
weather.py the server's faults
truth.py   the laws, from the server's own state file and the three files of the run
"""
