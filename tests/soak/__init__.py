"""A long run at speed against a server that fails in every way: is anything lost, and does anything grow?"""
