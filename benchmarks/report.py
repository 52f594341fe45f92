"""Shows results: a table in Markdown, and a bar chart as SVG."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

__all__ = ["chart", "table"]

_COLUMNS = ("pylibCZIrw", "aicspylibczi", "czifile", "bioio-czi")


def table(results: dict[str, Any]) -> str:
    """Return all results as a table in Markdown."""
    machine = results["machine"]
    lines = [
        f"{machine['cpus']} CPUs, {machine['system']}, Python {machine['python']}, "
        f"numpy {machine['numpy']}. Medians; `x` tells how many times as long another takes.",
        "",
        "| scenario | czictypes | CPU | peak memory | " + " | ".join(_COLUMNS) + " | limit |",
        "|---|---|---|---|" + "---|" * len(_COLUMNS) + "---|",
    ]
    lines += [_row(name, result) for name, result in results["scenarios"].items()]
    return "\n".join(lines)


def _row(name: str, result: dict[str, Any]) -> str:
    packages = result["packages"]
    own = packages["czictypes"]
    cells = [name, _duration(own["seconds"]), _duration(own["cpu"]), _size(own)]
    for package in _COLUMNS:
        other = packages.get(package)
        if other is not None:
            ratio = other["seconds"] / own["seconds"]
            cells.append(f"{_duration(other['seconds'])} (x {ratio:.1f}), {_size(other)}")
        else:
            cells.append("fails" if package in result["failed"] else "-")
    cells.append(
        "; ".join(
            f"{limit} {_duration(timing['seconds'])}, x {own['seconds'] / timing['seconds']:.2f}"
            for limit, timing in result["limits"].items()
        )
        or "-"
    )
    return "| " + " | ".join(cells) + " |"


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.2f} s"


def _size(timing: dict[str, Any]) -> str:
    size = timing.get("peak_memory")
    return "-" if size is None else f"{size / 2**20:.0f} MiB"


def chart(scenarios: dict[str, Any]) -> str:
    """Return a bar chart: how many times as long pylibCZIrw takes as czictypes."""
    bars = []
    for name, result in scenarios.items():
        other = result["packages"].get("pylibCZIrw")
        if other is not None:
            bars.append((name, other["seconds"] / result["packages"]["czictypes"]["seconds"]))
    longest = max([ratio for _, ratio in bars], default=1.0)
    left, width, step = 290, 400, 22
    unit = width / longest
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 70}" '
        f'height="{step * len(bars) + 40}" font-family="sans-serif" font-size="13">',
        f'<text x="{left}" y="18">times as fast as pylibCZIrw (the line: equal)</text>',
    ]
    for number, (name, ratio) in enumerate(bars):
        y = 28 + step * number
        parts += [
            f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{left}" y="{y}" width="{ratio * unit:.1f}" height="16" fill="#2a7ab8"/>',
            f'<text x="{left + ratio * unit + 5:.1f}" y="{y + 14}">{ratio:.1f}</text>',
        ]
    x = left + unit
    parts.append(f'<path d="M{x:.1f} 24 V{28 + step * len(bars)}" stroke="#b03020"/>')
    return "\n".join([*parts, "</svg>", ""])
