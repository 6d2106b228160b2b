"""The one style sheet: legible in light and dark, and nothing in it comes from elsewhere."""

import re

import pytest

from tests.servers import ROOT

SHEET = (ROOT / "static" / "ui" / "style.css").read_text(encoding="utf-8")
READABLE = 4.5  # WCAG 2.2, 1.4.3
VISIBLE = 3.0  # WCAG 2.2, 1.4.11: edges of controls
TEXT_ON = [
    ("ink", "ground"),
    ("ink", "surface"),
    ("ink", "sunken"),
    ("quiet", "ground"),
    ("quiet", "surface"),
    ("quiet", "sunken"),
    ("accent", "surface"),
    ("accent", "ground"),
    ("accent", "sunken"),
    ("accent", "accent-soft"),
    ("on-accent", "accent"),
    ("surface", "bad"),
    *[(tone, f"{tone}-soft") for tone in ("good", "wait", "act", "bad", "calm")],
]


def variables(scheme: str) -> dict[str, str]:
    light, dark = re.findall(r":root \{(.*?)\}", SHEET, re.DOTALL)[:2]
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light))
    if scheme == "dark":
        found |= dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", dark))
    return found


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXT_ON)
def test_text_is_legible(scheme: str, text: str, ground: str) -> None:
    colours = variables(scheme)

    assert contrast(colours[text], colours[ground]) >= READABLE


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("ground", ["ground", "surface", "sunken"])
@pytest.mark.parametrize("edge", ["edge", "act"])
def test_edges_and_focus_are_visible(scheme: str, ground: str, edge: str) -> None:
    colours = variables(scheme)

    assert contrast(colours[edge], colours[ground]) >= VISIBLE


def test_nothing_comes_from_elsewhere() -> None:
    assert not re.search(r"url\(|@import|https?:", SHEET)
