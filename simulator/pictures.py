"""The report of a run as one HTML page that needs nothing else: what was driven, how long things took, how many at a
time, how orders ended, what went wrong on purpose.
"""

from __future__ import annotations

from math import cos, exp, floor, log10, radians
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, select_autoescape
from markupsafe import Markup

from simulator.histogram import LEAST_MS, WIDTH, Histogram
from simulator.journeys import Journey
from simulator.report import FAULTS

try:
    from plotly import graph_objects as go
    from plotly.offline import get_plotlyjs
    from plotly.subplots import make_subplots
except ImportError as missing:
    raise ValueError("--html needs plotly: pip install 'codriver[report]'") from missing

COLOURS = {"success": "#2e8b57", "failed": "#d0453a", "rejected": "#d68910"}
WORDS = {"success": "delivered", "failed": "failed", "rejected": "rejected"}
OTHERWISE = "#8c99a6"
PALETTE = ("#4a86f7", "#a569bd", "#1aa98b", "#e07b39", "#7f8fa3", "#d6457f", "#13a3b5", "#a1887f")
GRID = "rgba(128,128,128,0.25)"
TIMES = {
    "acknowledgementMs": "a message acknowledged",
    "mapMs": "a position on the map",
    "pageMs": "a position on a tracking page",
    "latenessMs": "this simulator's own lateness",
}
ON_PURPOSE = {
    "signal lost": "a phone had no signal and kept what it had to say",
    "app killed": "the app was killed in the middle of its work, and began again from its disk",
    "app killed with messages waiting": "so often of these it had something to send, and sent it when it was back",
    "answer lost": "the server's answer never reached the phone, which sent the message again",
    "sent twice": "a message was sent again although it had been acknowledged",
    "order cancelled": "the office cancelled an order that was under way",
    "order moved": "the office gave an order to another driver, and planned anew",
    "re-planned": "the office planned the rest of the day anew",
    "route changed": "a phone took over a route that the office had changed",
    "office could not": "the server did not do what the office asked for",
}
M_PER_DEGREE = 111_195.0
TICKS = ("0.01 ms", "0.1 ms", "1 ms", "10 ms", "0.1 s", "1 s", "10 s", "100 s", "1000 s")
BUCKETS_A_BAR = 12
"""Of two per cent each: a bar is a quarter wider than the one before it."""


class Picture(NamedTuple):
    """A figure; ``said`` is what it shows, for those who do not know it or do not see it."""

    title: str
    said: str
    figure: go.Figure


def page(report: dict[str, Any], driven: list[Journey]) -> str:
    """The page. ``report`` is the document of ``simulator.report``."""
    pictures = [_map(driven)] if driven else []
    pictures += [_times(report), _throughput(report), _orders(report)]
    template = Environment(autoescape=select_autoescape(default=True), trim_blocks=True).from_string(
        Path(__file__).with_name("report.html").read_text(encoding="utf-8")
    )
    return template.render(
        faults=FAULTS,
        report=report,
        wrong=_wrong(report),
        on_purpose=[(name, count, ON_PURPOSE.get(name, "")) for name, count in report["injected"].items() if count],
        library=Markup(get_plotlyjs()),
        pictures=[(each.title, each.said, _drawn(each.figure)) for each in pictures],
    )


def _drawn(figure: go.Figure) -> Markup:
    config = {"displayModeBar": False, "responsive": True}
    return Markup(figure.to_html(full_html=False, include_plotlyjs=False, config=config))


def _wrong(report: dict[str, Any]) -> list[str]:
    faults = [
        f"{thing} {kind}: {example}"
        for thing, kinds in report["faults"].items()
        for kind, examples in kinds.items()
        for example in examples
    ]
    return faults + report["troubles"]


def _map(driven: list[Journey]) -> Picture:
    figure = go.Figure()
    for number, each in enumerate(driven):
        colour = PALETTE[number % len(PALETTE)]
        line = {"mode": "lines", "name": each.named, "legendgroup": each.named, "hoverinfo": "name"}
        dotted, solid = {"color": colour, "width": 1.5, "dash": "dot"}, {"color": colour, "width": 2}
        figure.add_scatter(**_xy(each.planned), line=dotted, showlegend=False, **line)
        figure.add_scatter(**_xy(each.driven), line=solid, **line)
        figure.add_scatter(
            **_xy([stop[:2] for stop in each.stops]),
            mode="markers",
            marker={"color": [COLOURS.get(stop[2], OTHERWISE) for stop in each.stops], "size": 8},
            text=[f"{each.named}: {WORDS.get(stop[2], stop[2])}" for stop in each.stops],
            hoverinfo="text",
            legendgroup=each.named,
            showlegend=False,
        )
    for status, colour in COLOURS.items():
        figure.add_scatter(x=[None], y=[None], mode="markers", marker={"color": colour, "size": 8}, name=WORDS[status])
    points = [point for each in driven for point in (*each.planned, *each.driven)]
    if points:
        _scale(figure, points)
    figure.update_yaxes(showticklabels=False, showgrid=False, zeroline=False)
    figure.update_xaxes(showticklabels=False, showgrid=False, zeroline=False)
    said = (
        f"Where {len(driven)} drivers were to drive (dotted) and drove (solid, as their phones told it, errors "
        "and all); the points are stops by how they ended. North is up; streets are left out, for this page asks "
        "nobody for a map. Tap a driver below to hide or show the day, twice to see it alone."
    )
    return Picture("Planned and driven", said, _plain(figure, 620).update_layout(margin_l=10))


def _scale(figure: go.Figure, points: list[Any]) -> None:
    """As far east as north where the drivers are, and a line that is so many kilometres long."""
    south, west = (min(point[axis] for point in points) for axis in (0, 1))
    north, east = (max(point[axis] for point in points) for axis in (0, 1))
    narrow = cos(radians((south + north) / 2))
    figure.update_yaxes(scaleanchor="x", scaleratio=1 / narrow)
    wide_m = max((east - west) * narrow, north - south, 1e-3) * M_PER_DEGREE / 5
    round_m = 10 ** floor(log10(wide_m))
    metres = max(step * round_m for step in (1, 2, 5) if step * round_m <= wide_m)
    y = south - (north - south) * 0.06
    end = west + metres / M_PER_DEGREE / narrow
    label = f"{metres / 1000:g} km"
    figure.add_scatter(
        x=[west, end], y=[y, y], mode="lines+text", text=["", label], textposition="middle right", hoverinfo="skip",
        line={"color": OTHERWISE, "width": 3}, showlegend=False,
    )  # fmt: skip


def _xy(points: list[Any]) -> dict[str, list[float]]:
    return {"x": [round(point[1], 6) for point in points], "y": [round(point[0], 6) for point in points]}


def _times(report: dict[str, Any]) -> Picture:
    """A histogram of each, one below the other on the same scale of milliseconds."""
    shown = {key: title for key, title in TIMES.items() if report["histograms"][key] or key != "pageMs"}
    figure = make_subplots(
        rows=len(shown), cols=1, shared_xaxes=True, vertical_spacing=0.1, subplot_titles=list(shown.values())
    )
    said = []
    for row, (key, title) in enumerate(shown.items(), 1):
        measured = Histogram(report["histograms"][key])
        bars = _bars(measured)
        figure.add_bar(
            x=[middle for middle, _, _ in bars], y=[share for _, _, share in bars], width=[wide for _, wide, _ in bars],
            marker_color=PALETTE[row - 1], hovertemplate="%{x:.3g} ms: %{y:.1%}<extra></extra>", row=row, col=1,
        )  # fmt: skip
        if bars:
            for share, name in ((0.5, "p50"), (0.99, "p99")):
                at = max(LEAST_MS, measured.percentile(share))
                figure.add_vline(x=at, line={"dash": "dash", "color": OTHERWISE}, row=row, col=1)
                figure.add_annotation(
                    x=log10(at), y=1 if share > 0.5 else 0.8, yref="y domain", text=name, showarrow=False,
                    xanchor="right", row=row, col=1,
                )  # fmt: skip
        said.append(f"{title} p50 {measured.percentile(0.5):g} ms, p99 {measured.percentile(0.99):g} ms")
    drawn = [bar for key in shown for bar in _bars(Histogram(report["histograms"][key]))]
    begin = min((middle - wide for middle, wide, _ in drawn), default=1.0)
    end = max((middle + wide for middle, wide, _ in drawn), default=1000.0)
    ticks = {"tickvals": [10.0**power for power in range(-2, 7)], "ticktext": TICKS}
    figure.update_xaxes(type="log", showticklabels=True, range=[log10(max(0.1, begin)), log10(1.2 * end)], **ticks)
    figure.update_yaxes(tickformat=".0%", nticks=4)
    figure.update_layout(showlegend=False, bargap=0)
    told = (
        f"The distribution of the times since sending: {'; '.join(said)}. A simulator that is over 500 ms late "
        "measures itself."
    )
    return Picture("How long it took", told, _plain(figure, 20 + 200 * len(shown)))


def _bars(times: Histogram) -> list[tuple[float, float, float]]:
    """Middle and width in milliseconds, and the share of all, of bars of several buckets each."""
    together: dict[int, int] = {}
    for bucket, count in times.counts.items():
        together[bucket // BUCKETS_A_BAR] = together.get(bucket // BUCKETS_A_BAR, 0) + count
    found = []
    for bar, count in sorted(together.items()):
        begins, ends = (LEAST_MS * exp(edge * BUCKETS_A_BAR * WIDTH) for edge in (bar, bar + 1))
        found.append(((begins + ends) / 2, ends - begins, count / len(times)))
    return found


def _throughput(report: dict[str, Any]) -> Picture:
    series = {int(second): count for second, count in report["throughput"].items()}
    seconds = list(range(max(series, default=0) + 1))
    figure = go.Figure(go.Bar(x=seconds, y=[series.get(second, 0) for second in seconds], marker_color=PALETTE[0]))
    figure.update_traces(marker_line_width=0, hovertemplate="second %{x}: %{y}<extra></extra>")
    figure.update_xaxes(title="seconds since the run began")
    figure.update_yaxes(title="positions a second")
    figure.update_layout(bargap=0.1)
    total, most = sum(series.values()), max(series.values(), default=0)
    said = (
        f"How many positions the server acknowledged in each second of the run: {total} in all, at most {most} in one. "
        "Where there are none, phones had no signal or the server was away; what they kept comes behind."
    )
    return Picture("Throughput", said, _plain(figure, 320))


def _orders(report: dict[str, Any]) -> Picture:
    counts = [report["orderStatuses"][name] for name in COLOURS]
    figure = go.Figure(go.Bar(x=counts, y=[WORDS[name] for name in COLOURS], orientation="h", text=counts))
    figure.update_traces(
        marker_color=list(COLOURS.values()), hoverinfo="skip", textposition="outside", cliponaxis=False
    )
    figure.update_yaxes(autorange="reversed", showgrid=False)
    ended = ", ".join(f"{count} {WORDS[name]}" for name, count in zip(COLOURS, counts, strict=True))
    checked, wrong = report["orderStatuses"]["checked"], report["orderStatuses"]["wrong"]
    said = f"How the server says that the orders ended: {ended}."
    if report["verified"]:
        said += f" Of {checked} that were compared with what the drivers did, {wrong} are wrong."
    return Picture("Orders", said, _plain(figure, 220))


def _plain(figure: go.Figure, height: int) -> go.Figure:
    """Without a ground of its own, so that it is at home on a light page and on a dark one."""
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 60, "r": 20, "t": 30, "b": 50},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 13},
        legend={"orientation": "h", "yanchor": "top", "y": -0.02, "x": 0},
    )
    figure.update_xaxes(gridcolor=GRID, zerolinecolor=GRID, automargin=True)
    figure.update_yaxes(gridcolor=GRID, zerolinecolor=GRID, automargin=True)
    return figure
