"""A TLS server that does not answer the closing of a connection: its transport is left open when the block ends."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ASK = """
import asyncio, gc, sys, uvloop, warnings
warnings.simplefilter("always")
from batcher.transport.http import open_transport
from batcher.api_keys import ApiKey
async def main():
    async with open_transport(sys.argv[2], timeout_seconds=2.0) as transport:
        print(type(await transport.request("POST", "/x", ApiKey("k"), b"{}")).__name__)
(uvloop.run if sys.argv[1] == "uvloop" else asyncio.run)(main())
gc.collect()
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_nothing_is_left_open(tmp_path: Path, loop: str) -> None:
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*make, "-subj", "/CN=x", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        plug = context.wrap_socket(listener.accept()[0], server_side=True)
        with plug:
            plug.recv(1 << 16)
            plug.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            over.wait(60)  # reads nothing more

    over = threading.Event()
    server = threading.Thread(target=serve)
    server.start()
    env = os.environ | {"PYTHONPATH": str(ROOT), "SSL_CERT_FILE": str(certificate)}
    base_url = f"https://127.0.0.1:{listener.getsockname()[1]}"
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", ASK, loop, base_url], env=env, capture_output=True, text=True, check=False
    )
    over.set()
    server.join()
    listener.close()
    assert (done.stdout, "ResourceWarning" in done.stderr) == ("Answer\n", False), done.stderr[-500:]
