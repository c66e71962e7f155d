"""Hostile input and hostile servers: laws that hold for any bytes, tried with very many of them (see README.md)."""
