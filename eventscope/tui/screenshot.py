"""Pictures of the running dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eventscope.tui.app import EventScopeApp

FONT = "Fira Code"


def screenshot_svg(app: EventScopeApp) -> str:
    """Draw the screen of a running app as SVG, text kept as text."""
    return app.export_screenshot(title=app.title)


def svg_to_png(svg: str, *, font: str = FONT, zoom: float = 1.0) -> bytes:
    """Turn such a drawing into PNG.

    Args:
        svg: the drawing.
        font: an installed monospaced font; with any other the columns do not line up.
        zoom: pixels for each unit of the drawing.
    """
    import resvg_py

    return resvg_py.svg_to_bytes(
        svg_string=svg, monospace_family=font, sans_serif_family=font, zoom=zoom
    )
