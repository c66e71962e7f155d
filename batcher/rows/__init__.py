"""From bytes to rows and from rows to bodies: what `read.py`, `validate.py` and `check.py` are made of."""
