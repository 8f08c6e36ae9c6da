"""The server that is measured: built, started with a private Postgres, asked, stopped."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

from measures import Failed

ROOT = Path(__file__).resolve().parent.parent


def program() -> str:
    """The program to measure: the one that RAPPORT names, else a release build of this tree."""
    if named := os.environ.get("RAPPORT"):
        return str(Path(named).resolve())
    subprocess.run(["cargo", "build", "--locked", "--release", "--package", "rapport-server"], cwd=ROOT, check=True)
    return str(Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release/rapport")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def until_ready(url: str, process: subprocess.Popen[bytes], pause: float) -> None:
    """Waits for /readyz; ends the run when the server stops or takes more than a minute."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            sys.exit("The server stopped before it was ready. Its words are in bench/results/server.log.")
        try:
            urllib.request.urlopen(f"{url}/readyz", timeout=1).close()
            return
        except OSError:
            time.sleep(pause)
    sys.exit("The server did not get ready within a minute. Its words are in bench/results/server.log.")


class Server:
    """A running server with its private Postgres, whose data are on disk with fsync on, and with a workspace of its own."""

    def __init__(self, folder: Path, connections: int, log: Path) -> None:
        self.program, self.folder, self.log = program(), folder, log.open("wb")
        self.url, self.metrics = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self.process = self._serve(["--data-dir", str(folder), "--metrics-listen", self.metrics[7:],
                                    "--connections", str(connections)], self.url)
        until_ready(self.url, self.process, 0.05)
        self.database = str(json.loads((folder / "server.json").read_text())["url"])
        self.workspace = self.command("admin", "create-workspace", "bench", "--country", "DE")
        self.key = self.command("admin", "create-api-key", "--workspace", "bench", "--name", "bench")
        self.postmaster = int((folder / "postgres/postmaster.pid").read_text().split()[0])

    def _serve(self, options: list[str], url: str) -> subprocess.Popen[bytes]:
        limits = [f"--rate-limit-{what}=0" for what in ("key", "workspace", "address")]
        command = [self.program, "serve", "--listen", url[7:], *limits, *options]
        return subprocess.Popen(command, stdout=self.log, stderr=self.log)

    def command(self, *arguments: str) -> str:
        """Runs a command of the program beside the server, and gives what it prints."""
        command = [self.program, *arguments, "--data-dir", str(self.folder)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=self.log)
        if done.returncode:
            raise Failed(f"rapport {' '.join(arguments)} failed. Its words are in bench/results/server.log.")
        return done.stdout.decode().strip()

    def sql(self, statement: str) -> str:
        """What a statement answers, without headings."""
        command = [tool("psql"), "--no-psqlrc", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", self.database]
        return subprocess.run([*command, "--command", statement], check=True, stdout=subprocess.PIPE).stdout.decode().strip()

    def get(self, path: str, body: Any = None) -> Any:
        """What a call answers."""
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data, headers)) as answer:
            return json.load(answer)

    def statuses(self) -> Counter[str]:
        """How many requests were answered with which status since the server started, as it counts itself."""
        with urllib.request.urlopen(f"{self.metrics}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        counts: Counter[str] = Counter()
        for line in lines:
            if line.startswith("rapport_http_requests_total"):
                counts[line.split('status="')[1].split('"')[0]] += int(float(line.rsplit(" ", 1)[1]))
        return counts

    def settle(self) -> None:
        """Waits until all that was written has its place in the change feed, so that no round pays for the one before."""
        while self.sql("SELECT EXISTS (SELECT FROM feed_waiting)") == "t":
            time.sleep(0.05)

    def written(self) -> int:
        """How many journal entries have their places in the change feed: one for each change, those of pgbench not among them."""
        return int(self.sql(f"SELECT position FROM feed_heads WHERE workspace_id = '{self.workspace}'"))

    def cold_start(self) -> float:
        """Seconds from the start of a second server to its first good answer, with a database that is up."""
        url, begun = f"http://127.0.0.1:{free_port()}", time.monotonic()
        process = self._serve(["--database-url", self.database], url)
        try:
            until_ready(url, process, 0.005)
            return time.monotonic() - begun
        finally:
            process.terminate()
            process.wait()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


def tool(name: str) -> str:
    """A program of Postgres: that of PG_BIN, of the PATH, or of the newest version that Debian has installed."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    places = [os.environ.get("PG_BIN", ""), os.environ.get("PATH", ""), *map(str, reversed(folders))]
    found = next((path for place in places if place and (path := shutil.which(name, path=place))), None)
    return found or sys.exit(f"{name} is missing. Install it: sudo apt-get install postgresql-contrib")
