"""The sandbox's own pages, for people: what was created, by folder, and each document as a reader would see it."""

from .pages import Pages

__all__ = ["Pages"]
