"""The embedded sandbox: an Omni-like server on loopback, for rehearsals, demonstrations and tests."""

from .answers.errors import ErrorShape
from .fault_kinds import FAULT_HELP
from .faults import Fault
from .request_log import RequestRecord
from .server import Sandbox, serve
from .settings import SandboxSettings

__all__ = ["FAULT_HELP", "ErrorShape", "Fault", "RequestRecord", "Sandbox", "SandboxSettings", "serve"]
