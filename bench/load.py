"""Load through the API, by wrk: it costs less of the machine than any other generator that can send what changes."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data import FIRST
from measures import Failed, Meter
from server import Server


NEW = "new"
"""The series of numbers that new records share."""


@dataclass
class Request:
    """What is sent. In its texts, `$n` and the others mean what load.lua says."""

    method: str
    path: str
    body: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    records: int | None = None
    """How many records are asked for by their numbers; none where each request has a number that is new."""
    in_turn: bool = False
    """Whether these are asked for one after the other instead of at random."""
    versions_of: str | None = None
    """The statement that gives their versions, where requests name them."""
    words: list[str] | None = None
    item: str | None = None
    items: int = 0
    """How many of these items the body holds."""

    def series(self) -> str:
        """What shares its numbers: all that is new, or one kind of request about records that are there."""
        return self.path if self.records else NEW


class Load:
    """Sends requests, and knows which numbers were used up."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.used: Counter[str] = Counter()
        if not shutil.which("wrk"):
            sys.exit("wrk is missing. Install it: sudo apt-get install wrk")

    def round(self, request: Request, status: int, connections: int, seconds: int, meter: Meter) -> dict[str, Any]:
        """Sends requests for some seconds. Fails when one was answered otherwise than expected."""
        plan = self._plan(request)
        before, written = self.server.statuses(), self._written(request)
        command = ["wrk", "--threads=1", f"--connections={connections}", f"--duration={seconds}s",
                   "--timeout=30s", f"--script={Path(__file__).with_name('load.lua')}", self.server.url]
        process = subprocess.Popen(command, env={**os.environ, "BENCH_PLAN": str(plan)}, stdout=subprocess.PIPE)
        time.sleep(seconds / 2)
        meter.weigh()
        output = process.communicate()[0].decode()
        if "RESULT " not in output:
            raise Failed(f"wrk failed:\n{output}")
        result = json.loads(output.split("RESULT ")[1])
        self.used[request.series()] += result["asked"] + connections
        self.server.settle()
        statuses = self.server.statuses() - before
        if not result["requests"]:
            raise Failed(f"{request.method} {request.path}: nothing was answered within {seconds} seconds.")
        # Who hangs up in the middle of a body, as wrk does at the end of a round, is answered 400 and does not read it.
        unread = set() if result["refused"] else {"400"}
        if result["broken"] or set(statuses) - unread != {str(status)}:
            raise Failed(f"{request.method} {request.path}: {dict(statuses)} instead of {status} alone; {result['broken']} connections "
                     f"broken or timed out.\nThe answer to one of them:\n{self._answer(plan)}")
        if self._written(request) - written < result["requests"] * request.items:
            raise Failed(f"Batches left something out. The answer to one of them:\n{self._answer(plan)}")
        if request.in_turn and not request.versions_of and self.used[request.series()] > (request.records or 0):
            raise Failed("There are too few leads for so many conversions. Set BENCH_LEADS higher.")
        return {**result, "statuses": dict(statuses)}

    def _written(self, request: Request) -> int:
        """How much there is, where a good status alone does not say that all was made. Who asks is charged to the round."""
        return self.server.written() if request.items else 0

    def _plan(self, request: Request) -> Path:
        used = self.used[request.series()]
        low, high = (FIRST, FIRST + request.records - 1) if request.records else (FIRST, FIRST + 10**11)
        plan: dict[str, Any] = {
            "head": self._head(request), "body": request.body or "", "low": low, "high": high, "skip": used, "seed": used + 1,
            "is_random": bool(request.records) and not request.in_turn, "words": request.words, "item": request.item or "",
            "items": request.items,
        }
        if request.versions_of:
            plan["versions"] = str(self._versions(request.versions_of))
        path = self.folder / "plan.lua"
        path.write_text("return " + lua(plan))
        return path

    def _head(self, request: Request) -> str:
        """All of a request before its body."""
        headers = {"Host": self.server.url.removeprefix("http://"), "Authorization": f"Bearer {self.server.key}", **request.headers}
        if request.body is not None:
            headers |= {"Content-Type": "application/json", "Content-Length": "$length"}
        lines = [f"{request.method} {request.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        return "\r\n".join(lines)

    def _versions(self, statement: str) -> Path:
        path = self.folder / "versions.lua"
        path.write_text("return {" + ",".join(self.server.sql(statement).split()) + "}")
        return path

    def _answer(self, plan: Path) -> str:
        """Sends one more of the requests, for the words of its answer."""
        script = plan.with_name("one.lua")
        loaded = Path(__file__).with_name("load.lua")
        script.write_text(f'dofile("{loaded}")\nfunction response(status, headers, body)\n'
                          "   print(status, body:sub(1, 2000))\n   wrk.thread:stop()\nend\n")
        command = ["wrk", "--threads=1", "--connections=1", "--duration=10s", f"--script={script}", self.server.url]
        done = subprocess.run(command, env={**os.environ, "BENCH_PLAN": str(plan)}, stdout=subprocess.PIPE)
        return done.stdout.decode()


def lua(value: Any) -> str:
    """A value in the words of Lua."""
    match value:
        case None:
            return "nil"
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case dict():
            return "{" + ",".join(f"[{json.dumps(key)}]={lua(item)}" for key, item in value.items() if item is not None) + "}"
        case list():
            return "{" + ",".join(map(lua, value)) + "}"
        case _:
            return json.dumps(value, ensure_ascii=False)
