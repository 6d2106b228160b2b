"""What the documentation points at exists."""

import re
from pathlib import Path

import pytest

from tests.servers import ROOT

CONFORMANCE = ROOT / "docs" / "CONFORMANCE.md"
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


def rows() -> list[tuple[str, str]]:
    """Code and test of each demand."""
    cells = [line.split("|") for line in CONFORMANCE.read_text().splitlines() if "::" in line]
    return [(row[2].strip(" `"), row[3].strip(" `")) for row in cells if len(row) == 5]


def test_every_demand_names_code_and_a_test_that_exist() -> None:
    listed = rows()
    assert len(listed) > 50

    missing = [
        code for code, _ in listed if not any((ROOT / top / code).exists() for top in ("", "payments"))
    ]
    for _, test in listed:
        file, name = test.split("::")
        path = ROOT / "tests" / "payments" / file
        if not path.exists() or not re.search(rf"^\s*(async )?def {name}\(", path.read_text(), re.MULTILINE):
            missing.append(test)

    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_inside_the_project_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())
    ours = [link for link in links if "://" not in link and not link.startswith("mailto:")]

    assert [link for link in ours if not (page.parent / link).exists()] == []
