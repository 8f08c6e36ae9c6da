"""The real server with its sample data, for scripts that try it from outside."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
READY_SECONDS = 60


@dataclass
class DemoServer:
    """Where it is, and a key that may do everything in its workspace."""

    url: str
    key: str


def program() -> str:
    """The program that RAPPORT names, or the one that is built of this source."""
    if named := os.environ.get("RAPPORT"):
        return str(Path(named).resolve())
    subprocess.run(["cargo", "build", "--locked", "--package", "rapport-server"], cwd=ROOT, check=True)
    return str(Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug/rapport")


@contextmanager
def demo_server(log: Path, *options: str) -> Iterator[DemoServer]:
    """Runs it on a free port, with a Postgres of its own, for as long as the block lasts. What it says goes to a file."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = "127.0.0.1:%d" % free.getsockname()[1]
        free.close()
        log.parent.mkdir(exist_ok=True)
        command = [program(), "serve", "--demo", "--listen", address, "--data-dir", folder, *options]
        with log.open("wb") as output:
            server = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            wait_until_ready(server, f"http://{address}", log)
            yield DemoServer(f"http://{address}", (Path(folder) / "demo-api-key").read_text().strip())
        finally:
            server.terminate()
            server.wait()


def wait_until_ready(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            sys.exit(f"The server stopped. Its words are in {log}.")
        try:
            urllib.request.urlopen(f"{url}/readyz")
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"The server did not get ready within {READY_SECONDS} seconds. Its words are in {log}.")
