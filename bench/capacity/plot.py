"""The answers as one picture (SVG): mail waiting, mail leaving, instances, over time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from bench.capacity.scenarios import Answer

WIDTH, HEIGHT = 380, 130
LEFT, TOP, GAP_X, GAP_Y = 70, 70, 60, 50
POINTS = 400
STYLE = """
text { font: 11px system-ui, sans-serif; fill: #333 }
text { paint-order: stroke; stroke: #fff; stroke-width: 3px }
.title { font-weight: 600; font-size: 13px }
.axis { stroke: #bbb; stroke-width: 1 }
.line { fill: none; stroke: #1f6feb; stroke-width: 1.6; stroke-linejoin: round }
.mark { stroke: #c0392b; stroke-width: 1; stroke-dasharray: 4 3 }
"""

type Curve = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Panel:
    """One kind of curve, drawn for every answer."""

    title: str
    curve: Callable[[Answer], Curve]


def _rate(answer: Answer) -> Curve:
    end = answer.samples[-1][0] or 1
    width = max(end / 60, 1.0)
    counts: dict[int, int] = {}
    for at, _ in answer.service.sent:
        counts[int(at / width)] = counts.get(int(at / width), 0) + 1
    last = int(end / width)
    return [(n * width, counts.get(n, 0) / width) for n in range(last + 1)]


PANELS = (
    Panel("messages accepted and not yet sent", lambda a: [(s[0], s[1]) for s in a.samples]),
    Panel("messages sent, a second", _rate),
    Panel("instances that deliver", lambda a: [(s[0], s[3]) for s in a.samples]),
)


def draw(answers: Sequence[Answer]) -> str:
    """Return the picture: a column for each answer, a row for each panel."""
    parts = []
    for column, answer in enumerate(answers):
        x = LEFT + column * (WIDTH + GAP_X)
        parts.append(f'<text class="title" x="{x}" y="30">{escape(answer.name)}</text>')
        parts.append(f'<text x="{x}" y="46">{escape(_short(answer.question))}</text>')
        for row, panel in enumerate(PANELS):
            parts.append(_panel(x, TOP + row * (HEIGHT + GAP_Y), panel, answer))
    width = LEFT + len(answers) * (WIDTH + GAP_X)
    height = TOP + len(PANELS) * (HEIGHT + GAP_Y)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        f' width="{width}" height="{height}"><style>{STYLE}</style>'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def _short(text: str) -> str:
    return text if len(text) < 66 else text[:64].rpartition(" ")[0] + " …"


def _panel(x: float, y: float, panel: Panel, answer: Answer) -> str:
    curve = panel.curve(answer)
    end = max(at for at, _ in curve) or 1
    top = max(value for _, value in curve) or 1
    thin = curve[:: max(1, len(curve) // POINTS)]
    points = " ".join(
        f"{x + at / end * WIDTH:.1f},{y + HEIGHT - value / top * HEIGHT:.1f}" for at, value in thin
    )
    marks = "".join(
        f'<line class="mark" x1="{x + at / end * WIDTH:.1f}" x2="{x + at / end * WIDTH:.1f}"'
        f' y1="{y}" y2="{y + HEIGHT}"/>'
        f'<text x="{x + at / end * WIDTH + 3:.1f}" y="{y + 10}">{escape(name)}</text>'
        for at, name in answer.marks
        if at < end
    )
    base = y + HEIGHT
    return (
        f'<line class="axis" x1="{x}" x2="{x + WIDTH}" y1="{base}" y2="{base}"/>'
        f'<line class="axis" x1="{x}" x2="{x}" y1="{y}" y2="{base}"/>'
        f'<text x="{x}" y="{y - 6}">{escape(panel.title)}</text>'
        f'<text x="{x - 6}" y="{y + 8}" text-anchor="end">{top:,.0f}</text>'
        f'<text x="{x - 6}" y="{base}" text-anchor="end">0</text>'
        f'<text x="{x + WIDTH}" y="{base + 14}" text-anchor="end">{end / 60:,.0f} min</text>'
        f'{marks}<polyline class="line" points="{points}"/>'
    )
