"""The report of a run as one HTML page that needs nothing else: what was driven, how long things took, how many at a
time, how orders ended, what went wrong on purpose.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, select_autoescape
from markupsafe import Markup

from simulator.histogram import Histogram
from simulator.journeys import Journey

try:
    from plotly import graph_objects as go
    from plotly.offline import get_plotlyjs
    from plotly.subplots import make_subplots
except ImportError as missing:
    raise ValueError("--html needs plotly: pip install 'codriver[report]'") from missing

COLOURS = {"success": "#2e8b57", "failed": "#c0392b", "rejected": "#d68910"}
OTHERWISE = "#8c99a6"
PALETTE = ("#2b6be4", "#8e44ad", "#16a085", "#d35400", "#2c3e50", "#c2185b", "#00838f", "#6d4c41")
TIMES = {"acknowledgementMs": "acknowledged", "mapMs": "on the map", "latenessMs": "the simulator's own lateness"}


def page(report: dict[str, Any], driven: list[Journey]) -> str:
    """The page. ``report`` is the document of ``simulator.report``."""
    figures = [
        ("Planned (dotted) and driven", _map(driven)),
        ("Times", _times(report)),
        ("Throughput", _throughput(report)),
        ("Orders, and what was done on purpose", _outcomes(report)),
    ]
    template = Environment(autoescape=select_autoescape(default=True)).from_string(
        Path(__file__).with_name("report.html").read_text(encoding="utf-8")
    )
    return template.render(
        report=report,
        wrong=_wrong(report),
        library=Markup(get_plotlyjs()),
        figures=[(title, _drawn(figure)) for title, figure in figures],
    )


def _drawn(figure: go.Figure) -> Markup:
    return Markup(figure.to_html(full_html=False, include_plotlyjs=False, config={"displayModeBar": False}))


def _wrong(report: dict[str, Any]) -> list[str]:
    faults = [
        f"{thing} {kind}: {example}"
        for thing, kinds in report["faults"].items()
        for kind, examples in kinds.items()
        for example in examples
    ]
    return faults + report["troubles"]


def _map(driven: list[Journey]) -> go.Figure:
    figure = go.Figure()
    for number, each in enumerate(driven):
        colour = PALETTE[number % len(PALETTE)]
        line = {"mode": "lines", "name": each.named, "legendgroup": each.named, "hoverinfo": "name"}
        dotted, solid = {"color": colour, "width": 1, "dash": "dot"}, {"color": colour, "width": 2}
        figure.add_scatter(**_xy(each.planned), line=dotted, showlegend=False, **line)
        figure.add_scatter(**_xy(each.driven), line=solid, **line)
        figure.add_scatter(
            **_xy([stop[:2] for stop in each.stops]),
            mode="markers",
            marker={"color": [COLOURS.get(stop[2], OTHERWISE) for stop in each.stops], "size": 7},
            text=[f"{each.named}: {stop[2]}" for stop in each.stops],
            hoverinfo="text",
            legendgroup=each.named,
            showlegend=False,
        )
    figure.update_yaxes(scaleanchor="x", scaleratio=1.4, showticklabels=False, showgrid=False, zeroline=False)
    figure.update_xaxes(showticklabels=False, showgrid=False, zeroline=False)
    return _plain(figure, 620)


def _xy(points: list[Any]) -> dict[str, list[float]]:
    return {"x": [point[1] for point in points], "y": [point[0] for point in points]}


def _times(report: dict[str, Any]) -> go.Figure:
    figure = go.Figure()
    for key, title in TIMES.items():
        shares = Histogram(report["histograms"][key]).shares()
        figure.add_scatter(x=[ms for ms, _ in shares], y=[share for _, share in shares], name=title, mode="lines")
    figure.update_xaxes(type="log", title="milliseconds")
    figure.update_yaxes(title="share that took no longer", tickformat=".0%", range=[0, 1.02])
    return _plain(figure, 360)


def _throughput(report: dict[str, Any]) -> go.Figure:
    series = sorted((int(second), count) for second, count in report["throughput"].items())
    seconds, counts = [second for second, _ in series], [count for _, count in series]
    figure = go.Figure(go.Bar(x=seconds, y=counts, marker_color=PALETTE[0]))
    figure.update_xaxes(title="seconds of the run")
    figure.update_yaxes(title="positions acknowledged a second")
    return _plain(figure, 300)


def _outcomes(report: dict[str, Any]) -> go.Figure:
    counts, injected = [report["orderStatuses"][name] for name in COLOURS], report["injected"]
    figure = make_subplots(cols=2, rows=1, subplot_titles=("orders", "done on purpose, and survived"))
    figure.add_bar(x=list(COLOURS), y=counts, marker_color=list(COLOURS.values()), row=1, col=1)
    figure.add_bar(x=list(injected), y=list(injected.values()), marker_color=PALETTE[1], row=1, col=2)
    figure.update_layout(showlegend=False)
    return _plain(figure, 340)


def _plain(figure: go.Figure, height: int) -> go.Figure:
    figure.update_layout(template="plotly_white", height=height, margin={"l": 50, "r": 20, "t": 30, "b": 40})
    return figure
