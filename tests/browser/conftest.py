"""One running demo for all browser tests: the real product with its simulated chargers and terminal."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

from tests import servers

TERMINAL = "/terminal/DEMO-T1/"


@dataclass
class Demo:
    """Where it runs, and the admin's password."""

    url: str
    password: str


@dataclass
class Visit:
    """A page with everything that went wrong or elsewhere on it."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """`manage.py up --demo`, with quick meter values."""
    directory: Path = tmp_path_factory.mktemp("demo")
    env = {
        "EMABLER_VAR_DIR": str(directory),
        "DATABASE_URL": f"sqlite:///{directory / 'emabler.sqlite3'}",
        "REDIS_URL": "",
        "DEBUG": "0",
        "HTTPS": "0",
        "OCPP_METER_INTERVAL_SECONDS": "1",
    }
    with servers.running_server(env, "--demo") as (url, _):
        output = servers.output_of(env, url)
        yield Demo(url, output.split("Admin password")[1].split()[0])


@pytest.fixture
def visit(browser: Browser, demo: Demo) -> Iterator[Visit]:
    """A phone with JavaScript."""
    context = browser.new_context(base_url=demo.url, viewport={"width": 390, "height": 844})
    yield watched(context)
    context.close()


@pytest.fixture
def plain_visit(browser: Browser, demo: Demo) -> Iterator[Visit]:
    """A phone without JavaScript."""
    context = browser.new_context(
        base_url=demo.url, viewport={"width": 390, "height": 844}, java_script_enabled=False
    )
    yield watched(context)
    context.close()


def watched(context: BrowserContext) -> Visit:
    """Open a page that writes down complaints and requests."""
    page = context.new_page()
    seen = Visit(page)

    def heard(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            seen.complaints.append(message.text)

    page.on("console", heard)
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.on("request", lambda request: seen.requests.append(request))
    return seen


def tap(page: Page, label: str) -> str:
    """Choose a connector at the terminal, tap a card, and return the path of the driver's page."""
    page.goto(TERMINAL)
    page.locator("a.main-choice").click()
    page.locator("a.choice", has_text=label).click()
    page.locator("button", has_text="Tap card").click()
    path = page.locator(".scan a").first.get_attribute("href")
    assert path
    return path


def finish(page: Page) -> None:
    """Stop at the terminal and wait until the card is settled."""
    page.locator("button", has_text="Stop").click()
    page.locator("[data-final]").wait_for(timeout=30_000)
