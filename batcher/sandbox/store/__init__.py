"""The sandbox's memory: documents, folders and labels in SQLite, in a file or in memory. One writer, owned by `with`."""

from .documents import Document, Listing, Page
from .folders import Folder, FolderListing
from .labels import Label
from .store import Store

__all__ = ["Document", "Folder", "FolderListing", "Label", "Listing", "Page", "Store"]
