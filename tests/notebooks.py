"""Runs the code of notebooks without Jupyter, and gives their outputs in its format."""

from __future__ import annotations

import ast
import contextlib
import io
from typing import Any

__all__ = ["run_cell"]


def run_cell(source: str, names: dict[str, Any], number: int) -> list[dict[str, Any]]:
    """Run a cell with the names of those before; return its outputs as a notebook has them."""
    statements = ast.parse(source).body
    last = statements[-1] if statements else None
    shown = ast.Expression(last.value) if isinstance(last, ast.Expr) else None
    code = ast.Module(statements[: -1 if shown else None], type_ignores=[])
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, f"cell {number}", "exec"), names)
        value = eval(compile(shown, f"cell {number}", "eval"), names) if shown else None
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        text = _lines(printed.getvalue())
        outputs.append({"name": "stdout", "output_type": "stream", "text": text})
    if value is not None:
        outputs.append(
            {
                "data": _data(value),
                "execution_count": number,
                "metadata": {},
                "output_type": "execute_result",
            }
        )
    return outputs


def _data(value: Any) -> dict[str, list[str]]:
    found = {"text/plain": _lines(repr(value))}
    if hasattr(value, "_repr_html_"):
        found["text/html"] = _lines(value._repr_html_())
    return dict(sorted(found.items()))


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)
