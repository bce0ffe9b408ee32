"""Plots a measurement over time: the traffic on the link, and the duration of another user's reads.

plot.py RESULTS_JSON SCENARIO PROTOCOL CASE >PICTURE.svg
"""

import json
import math
import sys

WIDTH, HEIGHT, LEFT, RIGHT = 900, 190, 70, 20
COLORS = {"received": "#1f6fb4", "sent": "#c8501e", "latency": "#444444"}


def measurement(results, scenario, protocol, case):
    for lab in results["labs"]:
        if (lab["scenario"], lab["protocol"]) == (scenario, protocol):
            for record in lab["records"]:
                if record["type"] == "measurement" and record["case"] == case and record["tool"] == "towpath":
                    return record
    sys.exit(f"no measurement of {case} over {protocol} in {scenario}")


def rates(timeline, column):
    """Megabytes per second, for every period that is long enough."""
    points, before = [], timeline[0]
    for sample in timeline[1:]:
        if sample[0] - before[0] >= 0.09:
            points.append((sample[0], (sample[column] - before[column]) / (sample[0] - before[0]) / 1e6))
            before = sample
    return points


def text(x, y, words, anchor="end", color="#000000"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{color}">{words}</text>'


class Panel:
    """One plot: its place in the picture, and its scales."""

    def __init__(self, top, seconds, title, ticks, scale):
        self.top, self.seconds, self.scale = top, seconds, scale
        self.parts = [text(LEFT, top - 8, title, "start")]
        for tick in ticks:
            y = self.y(tick)
            self.parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dddddd"/>')
            self.parts.append(text(LEFT - 6, y + 4, f"{tick:g}"))
        for second in range(0, int(seconds) + 1, 10):
            self.parts.append(text(self.x(second), top + HEIGHT + 16, second, "middle"))

    def x(self, second):
        return LEFT + (WIDTH - LEFT - RIGHT) * second / self.seconds

    def y(self, value):
        return self.top + HEIGHT * (1 - min(1.0, max(0.0, self.scale(value))))

    def line(self, points, color):
        path = " ".join(f"{self.x(t):.1f},{self.y(value):.1f}" for t, value in points)
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="1.2"/>')

    def dots(self, points, color):
        self.parts += [f'<circle cx="{self.x(t):.1f}" cy="{self.y(value):.1f}" r="1.1" fill="{color}"/>'
                       for t, value in points]


def main():
    path, scenario, protocol, case = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        record = measurement(json.load(file), scenario, protocol, case)
    seconds = record["timeline"][-1][0]
    link = Panel(40, seconds, "The link, MB/s", [0, 2.5, 5, 7.5, 10, 12.5], lambda value: value / 13.5)
    for column, name in ((1, "received"), (2, "sent")):
        link.line(rates(record["timeline"], column), COLORS[name])
        link.parts.append(text(WIDTH - RIGHT - (150 if column == 1 else 60), 30, name, "start", COLORS[name]))
    delays = Panel(40 + HEIGHT + 60, seconds, "Another user's reads, ms", [1, 10, 100],
                   lambda value: (math.log10(max(value, 0.3)) - math.log10(0.3)) / 3)
    delays.dots(record.get("user_timeline", []), COLORS["latency"])
    height = 40 + 2 * (HEIGHT + 60)
    parts = link.parts + delays.parts + [text(WIDTH / 2, height - 14, "seconds", "middle")]
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
          f'font-size="12"><rect width="100%" height="100%" fill="#ffffff"/>{"".join(parts)}</svg>')


if __name__ == "__main__":
    main()
