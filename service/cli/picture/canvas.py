"""SVG on the smallest scale: shapes and texts in, one standalone document out."""

from dataclasses import dataclass, field
from html import escape

MONO = 0.602
"""The advance of a fixed-width letter, in its own size."""
SANS = 0.53
"""The same of running text, on average and rather too wide."""
LANES = (
    ("#0969da", "#4493f8"),
    ("#1a7f37", "#3fb950"),
    ("#bc4c00", "#e0823d"),
    ("#8250df", "#ab7df8"),
    ("#1b7c83", "#39c5cf"),
    ("#bf3989", "#db61a2"),
    ("#9a6700", "#d29922"),
    ("#cf222e", "#f85149"),
)
"""A colour per lane, on light and on dark ground."""
GROUND = ("#ffffff", "#0d1117")
INK = ("#1f2328", "#e6edf3")
SOFT = ("#59636e", "#9198a1")
LINE = ("#d8dee4", "#30363d")


def style() -> str:
    light, dark = _rules(0), _rules(1)
    return f"{_FIXED}{light}@media (prefers-color-scheme: dark){{{dark}}}"


_FIXED = (
    "text{font:13px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}"
    ".m{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace}"
    ".s{font-size:12px}.xs{font-size:10.5px}.h{font-size:15px;font-weight:600}"
    ".t{font-size:22px;font-weight:700}.b{font-weight:600}"
    ".mid{text-anchor:middle}.end{text-anchor:end}.tint{fill-opacity:.12;stroke-opacity:.55}"
    ".ring{fill:none;stroke-width:1.6}.pale{fill-opacity:.65}"
)


def _rules(ground: int) -> str:
    lanes = "".join(
        f".f{number}{{fill:{colour[ground]}}}.k{number}{{stroke:{colour[ground]}}}"
        for number, colour in enumerate(LANES)
    )
    return (
        f".ground{{fill:{GROUND[ground]}}}.ink{{fill:{INK[ground]}}}.soft{{fill:{SOFT[ground]}}}"
        f".softly{{stroke:{SOFT[ground]}}}.line{{stroke:{LINE[ground]};fill:none}}.band{{fill:{LINE[ground]};fill-opacity:.28}}"
        f".none{{fill:none}}{lanes}"
    )


@dataclass(slots=True)
class Canvas:
    """Collects what is drawn; `y` is where the next thing begins."""

    width: float
    y: float = 0
    parts: list[str] = field(default_factory=list)

    def text(self, x: float, y: float, words: str, *, css: str) -> None:
        self.parts.append(f'<text x="{_n(x)}" y="{_n(y)}" class="{css}">{escape(words)}</text>')

    def box(self, x: float, y: float, size: tuple[float, float], *, css: str) -> None:
        width, height = size
        self.parts.append(
            f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" '
            f'rx="{_n(min(6, height / 5))}" class="{css}"/>'
        )

    def dot(self, x: float, y: float, radius: float, *, css: str) -> None:
        self.parts.append(f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}" class="{css}"/>')

    def rule(self, x: float, y: float, length: float) -> None:
        self.parts.append(f'<path d="M{_n(x)} {_n(y)}h{_n(length)}" class="line"/>')

    def document(self, *, title: str, description: str) -> str:
        size = f'width="{_n(self.width)}" height="{_n(self.y)}"'
        view = f'viewBox="0 0 {_n(self.width)} {_n(self.y)}"'
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} {view} role="img">\n'
            f"<title>{escape(title)}</title>\n<desc>{escape(description)}</desc>\n"
            f"<style>{style()}</style>\n"
            f'<rect width="100%" height="100%" rx="10" class="ground"/>\n'
        )
        return head + "\n".join(self.parts) + "\n</svg>\n"


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def mono(words: str, size: float) -> float:
    """How wide fixed-width letters of a size are."""
    return len(words) * size * MONO
