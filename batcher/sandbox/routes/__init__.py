"""What the sandbox serves: one call in, one response out, a file for each subject. Knows no sockets and no waiting."""

from .api import Api
from .backend import Override

__all__ = ["Api", "Override"]
