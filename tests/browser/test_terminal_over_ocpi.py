"""The virtual terminal whose PTP speaks OCPI, in a real browser: the same walk as over the native API."""

import re
import time

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests import servers
from tests.browser.conftest import Demo, Visit, finish, watched
from tests.browser.test_pages import check

pytestmark = pytest.mark.browser
TERMINAL = "/terminal/DEMO-T2/"
START = f"{TERMINAL}start/"
IS_LOADED = "image => image.decode().then(() => image.naturalWidth > 0)"


@pytest.fixture(autouse=True)
def _registered(demo: Demo) -> None:
    """The PTP is a process that registers after the server is up, and is given its site then."""
    deadline = time.monotonic() + 2 * servers.STARTUP_SECONDS
    while f'href="{START}' not in httpx.get(demo.url + START, timeout=servers.STARTUP_SECONDS).text:
        assert time.monotonic() < deadline, "the terminal over OCPI sells nothing"
        time.sleep(0.2)


def chosen(page: Page, label: str) -> None:
    """Choose a connector."""
    page.goto(TERMINAL)
    page.locator("a.main-choice").click()
    page.locator("a.choice", has_text=label).click()


def test_a_charge_from_the_choice_to_the_receipt(browser: Browser, demo: Demo) -> None:
    seen = watched(browser.new_context(base_url=demo.url, viewport={"width": 320, "height": 640}))
    page = seen.page

    page.goto(START)
    expect(page.locator("li .badge")).to_have_text(["A1", "A2", "D1"])
    check(page)
    chosen(page, "D1")
    expect(page.locator(".price-list")).to_contain_text("0.59\u00a0€/kWh incl. VAT")
    expect(page.locator(".money-note")).to_contain_text("60.00\u00a0€ will be held")
    check(page)
    page.locator("button", has_text="Tap card").click()
    expect(page.locator("h1")).to_have_text("Charging", timeout=30_000)
    expect(page.locator(".figure.main dd")).not_to_have_text("0.00\u00a0€", timeout=15_000)
    assert page.locator(".scan img").evaluate(IS_LOADED)
    check(page)

    phone = watched(browser.new_context(base_url=demo.url, viewport={"width": 390, "height": 844}))
    phone.page.goto(page.locator(".scan a").first.get_attribute("href") or "")
    expect(phone.page.locator("h1")).to_have_text("Charging")
    finish(page)

    expect(page.locator("h1")).to_have_text("Charging finished")
    expect(page.locator(".money-note")).to_contain_text("was charged to your card")
    check(page)
    expect(phone.page.locator("text=Receipt as PDF")).to_be_visible(timeout=20_000)
    expect(phone.page.locator(".slip")).to_contain_text("VISA CREDIT CONTACTLESS", timeout=20_000)
    taken = page.locator(".figure.main dd").inner_text()
    expect(phone.page.locator(".money-note")).to_contain_text(f"{taken} was charged")
    expect(phone.page.locator(".slip")).to_contain_text(f"CAPTURED EUR {taken.split()[0]}")
    page.goto(f"{TERMINAL}receipts/")
    expect(page.locator("a.choice").first).to_contain_text(taken)
    check(page)
    assert seen.complaints == phone.complaints == []
    assert [r.url for r in seen.requests + phone.requests if not r.url.startswith(demo.url)] == []
    for each in (page, phone.page):
        each.context.close()


def test_a_stop_is_seen_at_once_and_can_be_pressed_in_the_list(visit: Visit) -> None:
    page = visit.page
    chosen(page, "A1")
    page.locator("button", has_text="Tap card").click()
    expect(page.locator("h1")).to_have_text("Charging", timeout=30_000)
    page.goto(TERMINAL)
    expect(page.locator(".count")).to_have_text("1")
    page.locator("a", has_text="Stop").click()
    page.locator("form.choice button").click()

    expect(page.locator("h1")).to_have_text(re.compile("Finishing|Charging finished"))
    page.locator("[data-final]").wait_for(timeout=30_000)
    assert visit.complaints == []


def test_a_declined_card_ends_in_words_and_a_way_on_without_javascript(plain_visit: Visit) -> None:
    page = plain_visit.page
    chosen(page, "A2")
    page.locator("button", has_text="declined").click()

    expect(page.locator("h1")).to_have_text("Card declined")
    expect(page.locator(".explanation")).to_contain_text("Nothing was held")
    page.locator("text=Try again").click()
    expect(page.locator("button", has_text="Tap card")).to_be_visible()
    assert plain_visit.complaints == []
