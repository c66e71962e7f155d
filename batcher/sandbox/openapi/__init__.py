"""`openapi.json`: exactly what the sandbox serves, made from the same tables that it serves by."""

from . import paths
from .description import description

__all__ = ["description", "paths"]
