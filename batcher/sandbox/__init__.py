"""The embedded sandbox: an Omni-like server on loopback, for rehearsals, demonstrations and tests."""

from .answers import ErrorShape
from .fault_help import FAULT_HELP
from .faults import Fault
from .requests import Requests, Seen
from .server import Sandbox, serve
from .settings import SandboxSettings

__all__ = ["FAULT_HELP", "ErrorShape", "Fault", "Requests", "Sandbox", "SandboxSettings", "Seen", "serve"]
