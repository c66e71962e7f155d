"""The version, read by the build, the User-Agent header and `--version`."""

__version__ = "0.1.0"
