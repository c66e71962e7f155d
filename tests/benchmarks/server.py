"""The server of the benchmarks: nginx if it is installed, else the project's own trivial one; a process of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .documents import answer
from .trivial_server import MISSING

CLIENT_CORE, SERVER_CORE = 0, 1
_NGINX = """\
daemon off; master_process off; error_log stderr error; pid {home}/nginx.pid; worker_priority 0;
events {{ worker_connections 4096; }}
http {{
  access_log off; default_type application/json; keepalive_requests 1000000000; keepalive_timeout 1h;
  client_body_buffer_size 64k; client_body_temp_path {home}/body; proxy_temp_path {home}/proxy;
  fastcgi_temp_path {home}/fastcgi; uwsgi_temp_path {home}/uwsgi; scgi_temp_path {home}/scgi;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location = /api/v1/documents {{
      if ($request_method = POST) {{ return 201 '{answer}'; }}
      return 404 '{missing}';
    }}
    location / {{ return 404 '{missing}'; }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Server:
    """Where it listens and what it is."""

    url: str
    name: str


@contextlib.contextmanager
def serving(home: Path) -> Iterator[Server]:
    """A server for the block, on a free port of 127.0.0.1, pinned to a core of its own where there are two."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    port = _free_port()
    if nginx is not None:
        config = home / "nginx.conf"
        config.write_text(
            _NGINX.format(home=home, port=port, answer=answer().decode(), missing=MISSING.decode()), encoding="utf-8"
        )
        command = [nginx, "-p", str(home), "-c", str(config), "-e", "stderr"]
        version = subprocess.run([nginx, "-v"], capture_output=True, text=True, check=True).stderr
        name = version.strip().rpartition(" ")[2]
    else:
        command = [sys.executable, "-m", "tests.benchmarks.trivial_server", str(port)]
        name = "trivial server (nginx is not installed)"
    with subprocess.Popen(command) as process:
        try:
            pin(process.pid, SERVER_CORE)
            _wait_for(port)
            yield Server(f"http://127.0.0.1:{port}", name)
        finally:
            process.terminate()


def pin(process: int, core: int) -> None:
    """Let this process run on this core only; does nothing where that cannot be had."""
    if hasattr(os, "sched_setaffinity") and core in os.sched_getaffinity(0) | {0, 1} and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(process, {core})


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _wait_for(port: int, seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return
