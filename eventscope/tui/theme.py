"""The dashboard's own colours. No colour is named anywhere else."""

from __future__ import annotations

from typing import Final

from textual.theme import Theme

_NIGHT: Final = {
    "border": "#7aa2f7",
    "border-blurred": "#3b4261",
    "foreground-muted": "#8089b3",
    "foreground-disabled": "#565f89",
    "block-cursor-background": "#33467c",
    "block-cursor-foreground": "#ffffff",
    "block-cursor-text-style": "none",
    "block-cursor-blurred-background": "#292e42",
    "block-cursor-blurred-foreground": "#c0caf5",
    "block-cursor-blurred-text-style": "none",
    "footer-background": "#1a1b26",
    "footer-key-foreground": "#7aa2f7",
    "scrollbar": "#3b4261",
    "scrollbar-background": "#16161e",
}

EVENTSCOPE: Final = Theme(
    name="eventscope",
    background="#16161e",
    surface="#1a1b26",
    panel="#24283b",
    foreground="#c0caf5",
    primary="#7aa2f7",
    secondary="#7dcfff",
    success="#73daca",
    warning="#e0af68",
    error="#f7768e",
    accent="#bb9af7",
    variables=_NIGHT,
)

EVENTSCOPE_CB: Final = Theme(
    name="eventscope-cb",
    background="#16161e",
    surface="#1a1b26",
    panel="#24283b",
    foreground="#d8dcef",
    primary="#56b4e9",
    secondary="#56b4e9",
    success="#56b4e9",
    warning="#f0e442",
    error="#d55e00",
    accent="#cc79a7",
    variables={**_NIGHT, "border": "#56b4e9", "footer-key-foreground": "#56b4e9"},
)
"""Okabe and Ito's colours, which people with any colour vision tell apart."""

THEMES: Final = (EVENTSCOPE, EVENTSCOPE_CB)
