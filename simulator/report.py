"""The report of a run: a JSON document for machines, a table for people."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from simulator.tally import Tally, Verdict

FAULTS = ("lost", "duplicated", "wrong", "late")
LATE_MS = 500.0
"""A simulator that is later than this measures itself."""
COUNTS = ("sent", "acknowledged", "stored", *FAULTS, "withheld")


def document(verdict: Verdict, **measured: Any) -> dict[str, Any]:
    """The report; ``measured`` is what the run itself counted, beginning with drivers, orders and seconds."""
    statuses = verdict.statuses
    latencies = {name: measured.pop(name) for name in ("acknowledgementMs", "mapMs", "pageMs", "latenessMs")}
    faults = {
        name: examples
        for name, examples in (
            ("positions", verdict.positions.examples),
            ("actions", verdict.actions.examples),
            ("attachments", verdict.attachments.examples),
            ("orderStatuses", {"wrong": statuses.examples} if statuses.examples else {}),
        )
        if examples
    }
    return {
        "drivers": measured.pop("drivers"),
        "orders": measured.pop("orders"),
        "simulatedSeconds": measured.pop("simulatedSeconds"),
        "wallSeconds": measured.pop("wallSeconds"),
        "positions": _counts(verdict.positions),
        "actions": _counts(verdict.actions),
        "attachments": _counts(verdict.attachments),
        "orderStatuses": {
            "checked": statuses.checked,
            "wrong": statuses.wrong,
            "late": statuses.late,
            "success": statuses.success,
            "failed": statuses.failed,
            "rejected": statuses.rejected,
        },
        **latencies,
        "keptUp": latencies["latenessMs"]["p99"] <= LATE_MS,
        "ok": measured.pop("ok"),
        **measured,
        "faults": faults,
    }


def table(report: dict[str, Any], console: Console) -> None:
    """Print the report for people, with the first examples of what is wrong."""
    simulated = _clock(report["simulatedSeconds"])
    title = (
        f"{report['drivers']} drivers, {report['orders']} orders, {simulated} simulated in {report['wallSeconds']} s"
    )
    grid = Table(title=title, title_justify="left")
    grid.add_column("")
    for name in COUNTS:
        grid.add_column(name, justify="right")
    for name in ("positions", "actions", "attachments"):
        counts = report[name]
        grid.add_row(name, *(_cell(column, counts[column]) for column in counts))
    console.print(grid)
    orders = report["orderStatuses"]
    console.print(
        f"orders: {orders['checked']} checked, {orders['wrong']} wrong; "
        f"{orders['success']} delivered, {orders['failed']} failed, {orders['rejected']} rejected"
    )
    times = [("acknowledgementMs", "acknowledged"), ("mapMs", "on the map")]
    times += [("pageMs", "on a tracking page")] if report["pageMs"]["p99"] else []
    for name, label in times:
        console.print(f"{label} after: p50 {report[name]['p50']} ms, p99 {report[name]['p99']} ms")
    late = report["latenessMs"]["p99"]
    console.print(
        f"the simulator's own lateness: p99 {late} ms, with {report['cpu']:.0%} of a core; "
        f"one core could drive about {report['driversPerCore']} such drivers at this speed"
    )
    if not report["keptUp"]:
        console.print(
            f"The simulator was itself the bottleneck, with {report['driversOut']} drivers on the road: the times "
            "above include its own delays. Use fewer drivers, a lower --speed, or --processes.",
            style="yellow",
            soft_wrap=True,
        )
    for code, count in report["refused"].items() if report["ok"] else ():
        console.print(f"refused with {code}, as it should be: {count}")
    for kind, examples in report.get("faults", {}).items():
        for fault, named in examples.items():
            for example in named:
                console.print(f"{kind} {fault}: {example}", style="red", markup=False, highlight=False)
    for trouble in report.get("troubles", []):
        console.print(trouble, style="red", markup=False, highlight=False)
    verdict = (
        ("[bold green]Nothing lost." if report["verified"] else "Not verified.")
        if report["ok"]
        else "[bold red]NOT OK."
    )
    console.print(verdict)
    named = f"{report['scenarioName']} ({report['scenario']})" if report["scenarioName"] else report["scenario"]
    console.print(f"seed {report['seed']}, scenario {named}", style="dim", highlight=False)
    if not report["ok"]:
        console.print(f"again: CODRIVER_KEY=… {report['command']}", markup=False, highlight=False, soft_wrap=True)


def _counts(tally: Tally) -> dict[str, int]:
    return {name: getattr(tally, name) for name in COUNTS}


def _cell(column: str, count: int) -> str:
    return f"[bold red]{count}" if count and column in FAULTS else f"{count}"


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 3600}:{int(seconds) % 3600 // 60:02} h"
