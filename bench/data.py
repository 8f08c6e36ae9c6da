"""The data of a run, and the places in lists that cursors lead to."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from server import Server, tool

FIRST = 100_000_000_001
"""The number of the first record of each kind, see data.sql."""


@dataclass
class Data:
    """How much there is, and where the middles of lists are."""

    contacts: int
    opportunities: int
    leads: int
    page_cursor: str = ""
    page_key: str = ""
    page_id: str = ""
    feed_cursor: str = ""
    feed_position: int = 0


def fill(server: Server) -> Data:
    """Fills the workspace of the server."""
    data = Data(wanted("CONTACTS", 10_000), wanted("OPPORTUNITIES", 220_000), wanted("LEADS", 20_000))
    if data.contacts < 10_000:
        sys.exit("BENCH_CONTACTS has to be at least 10000, so that requests at the same time seldom meet in one record.")
    amounts = [f"--set={name}={getattr(data, name)}" for name in ("contacts", "opportunities", "leads")]
    server.settle()
    script = Path(__file__).with_name("data.sql")
    command = [tool("psql"), "--no-psqlrc", "--quiet", f"--set=workspace={server.workspace}", *amounts, "--file", str(script)]
    subprocess.run([*command, server.database], check=True, stdout=subprocess.DEVNULL)
    find_middles(server, data)
    return data


def wanted(name: str, usual: int) -> int:
    return int(os.environ.get(f"BENCH_{name}", usual))


def find_middles(server: Server, data: Data) -> None:
    """Walks to the middle of the list by name, at most 50,000 records, and into the change feed."""
    for _ in range(min(data.contacts // 400, 250)):
        page = server.get(f"/v1/contacts?sort=name&limit=200&cursor={data.page_cursor}" if data.page_cursor
                          else "/v1/contacts?sort=name&limit=200")
        data.page_cursor, data.page_id = page["next_cursor"], page["data"][-1]["id"]
    data.page_key = server.sql(f"SELECT sort_name FROM contacts WHERE workspace_id = '{server.workspace}' AND id = '{data.page_id}'")
    for _ in range(10):
        place = f"&cursor={data.feed_cursor}" if data.feed_cursor else ""
        page = server.get(f"/v1/changes?limit=200{place}")
        data.feed_cursor, data.feed_position = page["next_cursor"], page["data"][-1]["position"]
