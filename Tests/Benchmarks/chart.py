"""Pictures of figures as SVG: a row for each contestant, its median, and a line from its least to its greatest."""

import math
from dataclasses import dataclass
from html import escape

WIDTH, LABELS, VALUES, ROW, TITLE = 760, 150, 110, 22, 34
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600 }
  .ours { fill: #0969da } .other { fill: #8c959f } .ceiling { fill: #c8cdd3 }
  .spread { stroke: #24292f; stroke-width: 1.2 } .axis { stroke: #d0d7de }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .spread { stroke: #e6edf3 } .axis { stroke: #444c56 }
    .ours { fill: #539bf5 } .other { fill: #768390 } .ceiling { fill: #545d68 }
  }
"""


@dataclass
class Panel:
    """One figure of all contestants. `rows`: name, median, least, greatest."""

    title: str
    rows: list
    form: str  # of the median, as in "{:.0f} MB/s"
    logarithmic: bool = False


def kind(name):
    return "ours" if name.startswith("Sluice") else "ceiling" if name.startswith("nginx") else "other"


def draw(path, panels):
    parts, y = [], 8
    for panel in panels:
        parts += picture(panel, y)
        y += TITLE + ROW * len(panel.rows) + 14
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}" role="img">'
    path.write_text("\n".join([head, f"<style>{STYLE}</style>", *parts, "</svg>"]) + "\n")


def picture(panel, top):
    """Bars begin at zero; on a logarithmic scale there is none, so there are dots."""
    place = scale(panel)
    yield f'<text class="title" x="0" y="{top + 18}">{escape(panel.title)}</text>'
    bottom = top + TITLE + ROW * len(panel.rows) - 4
    yield f'<line class="axis" x1="{LABELS}" x2="{LABELS}" y1="{top + TITLE - 4}" y2="{bottom}"/>'
    for number, (name, median, least, greatest) in enumerate(panel.rows):
        y = top + TITLE + ROW * number
        x, low, high = place(median), place(least), place(greatest)
        yield f'<text x="{LABELS - 8}" y="{y + 13}" text-anchor="end">{escape(name)}</text>'
        if panel.logarithmic:
            yield f'<circle class="{kind(name)}" cx="{x:.1f}" cy="{y + 9}" r="5.5"/>'
        else:
            yield f'<rect class="{kind(name)}" x="{LABELS}" y="{y + 1}" width="{x - LABELS:.1f}" height="16"/>'
        yield f'<line class="spread" x1="{low:.1f}" x2="{high:.1f}" y1="{y + 9}" y2="{y + 9}"/>'
        yield f'<text x="{max(x, high) + 9:.1f}" y="{y + 13}">{escape(panel.form.format(median))}</text>'


def scale(panel):
    """From a value to its place in the picture."""
    room = WIDTH - LABELS - VALUES
    most = max(row[3] for row in panel.rows) or 1
    if not panel.logarithmic:
        return lambda value: LABELS + room * value / most
    positive = [row[2] for row in panel.rows if row[2] > 0]
    first = 10 ** math.floor(math.log10(min(positive, default=most / 10)))
    width = math.log10(most / first) or 1
    return lambda value: LABELS + room * math.log10(max(value, first) / first) / width
