"""The same work without Rapport, by pgbench with prepared statements."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

from data import FIRST
from measures import Failed
from server import Server, tool


class Pgbench:
    """Runs scripts of statements. In them, :n is the number of a record at random, and :new a number that nobody has used."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server, self.folder, self.rounds = server, folder, 0
        self.program = tool("pgbench")

    def round(self, statements: str, clients: int, records: int, settings: str, amount: str) -> dict[str, Any]:
        """Runs a script for a time (`--time=…`) or so many times (`--transactions=…`). Fails when one of them did."""
        self.rounds += 1
        script = self.folder / "script.sql"
        numbers = [f"\\set n random({FIRST}, {FIRST + records - 1})", "\\set i :i + 1",
                   f"\\set new {FIRST} + {self.rounds} * 800000000 + :client_id * 10000000 + :i * :step"]
        script.write_text("\n".join([*numbers, statements]))
        for log in self.folder.glob("times.*"):
            log.unlink()
        command = [self.program, "--no-vacuum", "--protocol=prepared", f"--client={clients}", f"--jobs={min(2, clients)}",
                   f"--file={script}", "--define=i=0", f"--define=step={1000 if 'generate_series' in statements else 1}", amount,
                   "--log", f"--log-prefix={self.folder}/times", self.server.database]
        done = subprocess.run(command, env={**os.environ, "PGOPTIONS": settings}, capture_output=True, text=True)
        if done.returncode or "aborted" in done.stderr:
            raise Failed(f"pgbench failed with {script.read_text()}\n{done.stderr}")
        times = sorted(int(line.split()[2]) for log in self.folder.glob("times.*") for line in log.read_text().splitlines())
        per_second = float(re.search(r"tps = ([\d.]+)", done.stdout)[1])  # type: ignore[index]
        return {"requests": len(times), "per_second": per_second, "p50": times[len(times) // 2], "p99": times[len(times) * 99 // 100],
                "least": times[0]}
