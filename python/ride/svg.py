"""Small plots as inline SVG text: no plotting library, colours from the page's CSS variables, so they follow dark and light."""
import html
import math

WIDTH, HEIGHT = 560, 260
LEFT, RIGHT, TOP, BOTTOM = 58, 16, 14, 40


def number(value):
    """12.3k, 4.5M, 0.02: short, for axes."""
    if value == 0:
        return "0"
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g}{letter}"
    return f"{value:.3g}"


def ticks(low, high, count=5):
    """Round numbers that cover low … high."""
    if not high > low:
        high = low + 1
    raw = (high - low) / count
    power = 10 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= raw)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 12) for i in range(first, math.floor(high / step + 1e-9) + 1)]


class Plot:
    """One pair of axes. Add marks, then text()."""

    def __init__(self, title, x_label, y_label, x_range, y_range, log_y=False, x_ticks=None):
        """x_ticks: [(place, text)] in place of round numbers."""
        self.title, self.x_label, self.y_label = title, x_label, y_label
        self.x_range = x_range if x_range[1] > x_range[0] else (x_range[0], x_range[0] + 1)
        self.y_range = y_range if y_range[1] > y_range[0] else (y_range[0], y_range[0] + 1)
        self.log_y, self.x_ticks, self.marks, self.legend = log_y, x_ticks, [], []

    def x(self, value):
        low, high = self.x_range
        return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        low, high = self.y_range
        if self.log_y:
            low, high, value = math.log10(low), math.log10(high), math.log10(max(value, low))
        return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    def line(self, xs, ys, colour, name=None, step=False, dash=None):
        points, before = [], None
        for a, b in zip(xs, ys):
            if b is None or b != b:
                continue
            if step and before is not None:
                points.append(f"{self.x(a):.1f},{before:.1f}")
            before = self.y(b)
            points.append(f"{self.x(a):.1f},{before:.1f}")
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self.marks.append(f'<polyline class="line" style="stroke:var(--{colour})"{dashes} points="{" ".join(points)}"/>')
        if name:
            self.legend.append((name, colour))

    def bars(self, edges, heights, colour, name=None, floors=None):
        """floors: where each bar begins, to stack bars; without it the axis."""
        floors = [self.y_range[0]] * len(heights) if floors is None else floors
        for low, high, height, floor in zip(edges, edges[1:], heights, floors):
            if height > floor:
                top = self.y(height)
                self.marks.append(f'<rect x="{self.x(low) + 0.5:.1f}" y="{top:.1f}" width="{max(self.x(high) - self.x(low) - 1, 0.5):.1f}" '
                                  f'height="{max(self.y(floor) - top, 0):.1f}" style="fill:var(--{colour})" fill-opacity=".85"/>')
        if name:
            self.legend.append((name, colour))

    def outline(self, edges, heights, colour, name=None):
        """A histogram as one filled outline, so that several can lie over each other."""
        floor, points = self.y(self.y_range[0]), []
        for low, high, height in zip(edges, edges[1:], heights):
            y = min(self.y(max(height, self.y_range[0])), floor)
            points += [f"{self.x(low):.1f},{y:.1f}", f"{self.x(high):.1f},{y:.1f}"]
        corners = f"{self.x(edges[0]):.1f},{floor:.1f} {' '.join(points)} {self.x(edges[-1]):.1f},{floor:.1f}"
        self.marks.append(f'<polygon points="{corners}" style="fill:var(--{colour});stroke:var(--{colour})" fill-opacity=".18" stroke-width="1.6"/>')
        if name:
            self.legend.append((name, colour))

    def point(self, x, y, colour, name):
        """A dot with its name beside it, on the side that has room."""
        right = self.x(x) < (LEFT + WIDTH - RIGHT) / 2
        place = f'x="{self.x(x) + 9:.1f}" y="{self.y(y) - 7:.1f}"' if right else f'x="{self.x(x) - 9:.1f}" y="{self.y(y) + 17:.1f}" text-anchor="end"'
        self.marks.append(f'<circle cx="{self.x(x):.1f}" cy="{self.y(y):.1f}" r="5" style="fill:var(--{colour})"/>'
                          f'<text class="mark" {place}>{html.escape(name)}</text>')

    def text(self):
        out = [f'<figure><figcaption>{html.escape(self.title)}</figcaption>'
               f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(self.title)}">']
        if self.log_y:
            low, high = (math.log10(v) for v in self.y_range)
            levels = [10.0 ** e for e in range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)]
        else:
            levels = ticks(*self.y_range)
        for value in levels:
            y = self.y(value)
            out.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
                       f'<text class="tick" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{number(value)}</text>')
        for value, text in self.x_ticks if self.x_ticks is not None else [(v, number(v)) for v in ticks(*self.x_range, 6)]:
            out.append(f'<text class="tick" x="{self.x(value):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{html.escape(text)}</text>')
        out += self.marks
        out.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{HEIGHT - BOTTOM}" y2="{HEIGHT - BOTTOM}"/>')
        out.append(f'<text class="label" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}" text-anchor="middle">{html.escape(self.x_label)}</text>')
        out.append(f'<text class="label y" transform="translate(13 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">{html.escape(self.y_label)}</text>')
        out.append("</svg>")
        if self.legend:
            out.append('<p class="legend">' + "".join(f'<span><i style="background:var(--{colour})"></i>{html.escape(name)}</span>'
                                                     for name, colour in self.legend) + "</p>")
        return "".join(out) + "</figure>"
