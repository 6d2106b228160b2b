"""The pages about money in a real browser: every one of them on a desktop and on a phone, and a whole refund."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests import servers
from tests.browser.conftest import watched
from tests.browser.test_pages import SMALL_TARGETS

pytestmark = pytest.mark.browser
PASSWORD = "a-long-enough-password"
WIDTHS = {"desktop": (1360, 900), "phone": (390, 844)}
SHOTS = os.environ.get("EMABLER_SHOTS", "")  # a directory: keep pictures of every page there


@dataclass
class Office:
    """Where it runs, a payment that was refunded, and the token of its receipt."""

    url: str
    refunded: str
    token: str


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory, _migrated_sqlite: Path) -> Iterator[Office]:
    """A server whose books have everything that can happen."""
    directory = tmp_path_factory.mktemp("money")
    shutil.copy(_migrated_sqlite, directory / "emabler.sqlite3")
    env = {
        "EMABLER_VAR_DIR": str(directory),
        "DATABASE_URL": f"sqlite:///{directory / 'emabler.sqlite3'}",
        "REDIS_URL": "",
        "DEBUG": "0",
        "HTTPS": "0",
        "REFUND_SECOND_PERSON_ABOVE": "5",
        "SELLER_NAME": "Example Charging Ltd",
    }
    with servers.running_server(env) as (url, _):
        seeded = subprocess.run(
            [sys.executable, "-m", "tests.browser.money_seed"],
            cwd=servers.ROOT,
            env={**servers.system_environment(), **env},
            check=True,
            capture_output=True,
            text=True,
        )
        yield Office(url, *seeded.stdout.split()[-2:])


def signed_in(browser: Browser, office: Office, name: str, width: str = "desktop") -> BrowserContext:
    wide, high = WIDTHS[width]
    context = browser.new_context(base_url=office.url, viewport={"width": wide, "height": high})
    page = context.new_page()
    page.goto("/login/")
    page.locator("#id_username").fill(name)
    page.locator("#id_password").fill(PASSWORD)
    page.locator("button").click()
    expect(page.locator("h1")).to_have_text("Overview")
    page.close()
    return context


@pytest.mark.parametrize("width", list(WIDTHS))
def test_every_page_fits_can_be_pressed_and_complains_of_nothing(
    browser: Browser, office: Office, width: str
) -> None:
    context = signed_in(browser, office, "anna", width)
    visit = watched(context)
    page = visit.page
    paths = {
        "settlements": "/money/",
        "payments": "/money/payments/",
        "review": "/money/review/",
        "payment": f"/money/payments/{office.refunded}/",
        "files": "/money/files/",
        "receipt": f"/r/{office.token}",
        "credit": f"/r/{office.token}/credit/1",
    }
    page.goto("/money/review/")
    for kind, row in (("orphan", "hold"), ("open", "is open"), ("line", "names")):
        paths[kind] = str(page.locator(".inbox-what a", has_text=row).first.get_attribute("href"))
    page.goto("/money/files/")
    paths["file"] = str(page.locator("td a").first.get_attribute("href"))
    paths["columns"] = str(page.locator(".links a").first.get_attribute("href"))

    for name, path in paths.items():
        page.goto(path)
        if SHOTS:
            page.screenshot(path=Path(SHOTS) / f"money-{name}-{width}.png", full_page=True)
        scrolls = page.evaluate("document.documentElement.scrollWidth")
        assert scrolls <= WIDTHS[width][0], f"{path} is {scrolls} px wide"
        assert page.evaluate(SMALL_TARGETS) == [], path

    assert visit.complaints == []
    assert [r.url for r in visit.requests if not r.url.startswith(office.url)] == []
    context.close()


def test_a_refund_takes_two_people_and_reaches_the_driver(browser: Browser, office: Office) -> None:
    anna = signed_in(browser, office, "anna").new_page()
    anna.goto("/money/review/?kind=refund")
    anna.locator(".inbox-what a").first.click()
    expect(anna.locator("#todo")).to_contain_text("someone else must approve it")

    emil = signed_in(browser, office, "emil").new_page()
    emil.goto(anna.url)
    emil.locator("button", has_text="Approve").click()

    expect(emil.locator(".said")).to_contain_text("the money goes back")
    expect(emil.locator(".tallies")).to_contain_text("10.00\u00a0€ on its way")
    expect(emil.locator(".timeline")).to_contain_text("anna, approved by emil")
    anna.context.close()
    emil.context.close()
