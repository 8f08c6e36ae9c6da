"""What a run prints and keeps: the tables, their place in bench/README.md, and the comparison with an earlier run."""

import json
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).resolve().parent
BEGIN, END = "<!-- The tables are written by `make bench`. -->", "<!-- End of the tables. -->"
SIDES = ["rapport", "pgbench"]


def summary(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """What several rounds of both sides come to: medians, and of the ratios that of each round with its neighbour."""
    found: dict[str, Any] = {}
    for side in SIDES:
        fields = [field for field in rounds[0][side] if field not in ("statuses", "least")]
        found[side] = {field: median(each[side][field] for each in rounds) for field in fields}
        found[side]["least"] = min(each[side].get("least", 0) for each in rounds)
    found["ratios"] = [round(each["rapport"]["per_second"] / each["pgbench"]["per_second"], 3) for each in rounds]
    found["ratio"] = median(found["ratios"])
    return found


def row(cells: list[object]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"


def operation_row(name: str, found: dict[str, Any]) -> str:
    ours, theirs = found["rapport"], found["pgbench"]
    cost = [number(ours[part]) for part in ("cpu_postgres", "cpu_rapport", "cpu_generator")]
    return row([name, found["connections"], number(ours["per_second"]), number(theirs["per_second"]), f"**{found['ratio']:.2f}**",
                f"{ours['p50'] / 1000:.1f}", f"{ours['p99'] / 1000:.1f}", *cost, number(theirs["cpu_postgres"])])


def tables(run: dict[str, Any]) -> str:
    """Both tables and the figures beside them, in Markdown."""
    machine = f"{run['at']}, {run['cores']} cores, {run['pool']} connections to the database"
    amounts = f"{run['contacts']:,} contacts, {run['opportunities']:,} opportunities, rounds: {run['rounds']} of {run['seconds']} s"
    lines = [f"{machine}, {amounts}.", ""]
    if run["operations"]:
        heads = ["connections", "Rapport /s", "pgbench /s", "ratio", "p50 ms", "p99 ms", "µs Postgres", "µs Rapport", "µs generator",
                 "pgbench: µs Postgres"]
        lines += [row(["operation", *heads]), row(["---", *["---:"] * len(heads)])]
        lines += [operation_row(found["title"], found) for found in run["operations"].values()] + [""]
    if run["reports"]:
        lines += [row(["report", "least ms", "median ms", "statements: least ms", "median ms", "ratio", "µs Postgres", "µs Rapport"]),
                  row(["---", *["---:"] * 7])]
        for found in run["reports"].values():
            ours, theirs = found["rapport"], found["pgbench"]
            times = [f"{side[field] / 1000:.0f}" for side in (ours, theirs) for field in ("least", "p50")]
            cost = [number(ours[part]) for part in ("cpu_postgres", "cpu_rapport")]
            lines.append(row([found["title"], *times, f"**{found['ratio']:.2f}**", *cost]))
        lines.append("")
    lines += [f"- Memory of the server (PSS): {run['memory_idle']:.0f} MiB idle, {run['memory_loaded']:.0f} MiB at most under load; without"
              f" the pages of its program {run['memory_idle_own']:.0f} and {run['memory_loaded_own']:.0f} MiB.",
              f"- From start to ready with a database that is up: {run['cold_start']:.2f} s (median of {run['cold_starts']}).",
              f"- Answers: {', '.join(f'{count:,} × {status}' for status, count in sorted(run['statuses'].items()))}."]
    lines += [f"- **{name} failed**: see what the run printed." for name in run["failed"]]
    return "\n".join(lines)


def write(text: str) -> None:
    """Puts the tables into bench/README.md."""
    page = HERE / "README.md"
    before, rest = page.read_text().split(BEGIN)
    page.write_text("\n".join([before + BEGIN, "", text, "", END]) + rest.split(END)[1])


def comparison(before: dict[str, Any], after: dict[str, Any]) -> str:
    """What became of each operation since an earlier run: by how much it is faster, and what it costs now of what it cost."""
    lines = [row(["operation", "ratio before", "ratio after", "per second, after/before", "processor time, after/before"]),
             row(["---", *["---:"] * 4])]
    for part in ("operations", "reports"):
        for key, now in after[part].items():
            if then := before[part].get(key):
                cost = [sum(each["rapport"][f"cpu_{side}"] for side in ("postgres", "rapport")) for each in (now, then)]
                faster = now["rapport"]["per_second"] / then["rapport"]["per_second"]
                lines.append(row([key, f"{then['ratio']:.2f}", f"{now['ratio']:.2f}", f"{faster:.2f}", f"{cost[0] / cost[1]:.2f}"]))
    for field in ("memory_idle", "memory_loaded", "cold_start"):
        lines.append(f"\n{field.replace('_', ' ')}: {before[field]:.2f} before, {after[field]:.2f} after")
    return "\n".join(lines)


def keep(run: dict[str, Any]) -> Path:
    """Saves a run for later comparison."""
    path = HERE / "results" / f"{run['at'].replace(':', '').replace(' ', '-')}.json"
    path.write_text(json.dumps(run, indent=1))
    return path
