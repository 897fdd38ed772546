"""What a page brings along so that it works offline: its style and its scripts, read from `assets`."""

from functools import cache
from importlib.resources import files

# In this order: each uses what stands before it.
_SCRIPTS = ("drawing.js", "axes.js", "labels.js", "slider.js", "chart.js", "panel.js")
_ASSETS = files("sr.report") / "assets"


@cache
def style() -> str:
    """Return the style of every page, light and dark by what the reader's system asks for."""
    return (_ASSETS / "page.css").read_text(encoding="utf-8")


@cache
def script() -> str:
    """Return what draws plots, moves sliders and opens panels, as one script element for the end of a page."""
    parts = "\n".join((_ASSETS / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    return f'<script>\n(() => {{\n"use strict";\n{parts}\n}})();\n</script>'
