"""The pages in a real browser: alive with JavaScript, complete without, small, narrow, and ours alone."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import TERMINAL, Demo, Visit, finish, tap, watched

pytestmark = pytest.mark.browser
FIRST_LOAD_BYTES = 60_000
TARGET_PIXELS = 24  # WCAG 2.2, 2.5.8
# Links inside a sentence are exempt from the target size (2.5.8, inline).
SMALL_TARGETS = """() => [...document.querySelectorAll('a, button, input:not([type=hidden])')]
  .map(e => [e, e.getBoundingClientRect()])
  .filter(([e, r]) => r.width > 2 && r.height > 2 && (r.width < 24 || r.height < 24))
  .map(([e, r]) => `${e.outerHTML.slice(0, 80)} ${r.width}x${r.height}`)"""


def test_a_charge_from_the_tap_to_the_receipt_without_reloading(
    visit: Visit, browser: Browser, demo: Demo
) -> None:
    page = visit.page
    path = tap(page, "D1")
    phone = watched(browser.new_context(base_url=demo.url, viewport={"width": 390, "height": 844}))
    phone.page.goto(path)
    phone.page.evaluate("window.untouched = true")

    expect(phone.page.locator("h1")).to_have_text("Charging", timeout=30_000)
    expect(phone.page.locator("#announce")).to_have_text("Charging")
    expect(page.locator("h1")).to_have_text("Charging", timeout=10_000)
    expect(page.locator(".figure.main dd")).not_to_have_text("0.00\u00a0€", timeout=15_000)
    finish(page)

    expect(phone.page.locator("h1")).to_have_text("Charging finished", timeout=20_000)
    expect(phone.page.locator("text=Receipt as PDF")).to_be_visible(timeout=20_000)
    expect(phone.page.locator(".money-note")).to_contain_text("was charged to your card", timeout=20_000)
    expect(phone.page.locator(".slip")).to_contain_text("VISA CREDIT CONTACTLESS")
    assert phone.page.evaluate("window.untouched") is True
    assert visit.complaints == phone.complaints == []
    elsewhere = [r.url for r in visit.requests + phone.requests if not r.url.startswith(demo.url)]
    assert elsewhere == []
    phone.page.context.close()


def test_everything_works_without_javascript(plain_visit: Visit, browser: Browser, demo: Demo) -> None:
    page = plain_visit.page
    path = tap(page, "A1")
    phone = watched(browser.new_context(base_url=demo.url, java_script_enabled=False))
    phone.page.goto(path)

    # Both pages reload themselves.
    expect(page.locator("h1")).to_have_text("Charging", timeout=30_000)
    expect(phone.page.locator("h1")).to_have_text("Charging", timeout=30_000)
    page.goto(f"{TERMINAL}stop/")
    page.locator("form.choice button").first.click()

    expect(page.locator("h1")).to_have_text("Charging finished", timeout=30_000)
    expect(phone.page.locator("h1")).to_have_text("Charging finished", timeout=30_000)
    expect(phone.page.locator("text=Receipt as PDF")).to_be_visible(timeout=30_000)
    phone.page.locator("a", has_text="DE").click()
    expect(phone.page.locator("h1")).to_have_text("Laden beendet")
    phone.page.context.close()


def test_a_declined_card_ends_in_words_and_a_way_on(visit: Visit) -> None:
    page = visit.page
    page.goto(TERMINAL)
    page.locator("a.main-choice").click()
    page.locator("a.choice", has_text="A2").click()
    page.locator("button", has_text="declined").click()

    expect(page.locator("h1")).to_have_text("Card declined")
    page.locator("text=Try again").click()
    expect(page.locator("button", has_text="Tap card")).to_be_visible()


def test_the_first_load_is_small(visit: Visit) -> None:
    page, sizes = visit.page, {}
    page.on("response", lambda r: sizes.update({r.url: len(r.body())}))
    path = tap(page, "D1")
    session = page.url
    sizes.clear()

    page.goto(path, wait_until="networkidle")

    assert 0 < sum(sizes.values()) < FIRST_LOAD_BYTES
    page.goto(session)
    expect(page.locator("h1")).to_have_text("Charging", timeout=30_000)
    finish(page)


def test_no_page_is_wider_than_a_narrow_phone_and_targets_are_large_enough(
    browser: Browser, demo: Demo
) -> None:
    context = browser.new_context(base_url=demo.url, viewport={"width": 320, "height": 640})
    page = context.new_page()
    receipt = tap(page, "A2")
    session = page.url
    expect(page.locator("h1")).to_have_text("Charging", timeout=30_000)
    check(page)
    page.goto(receipt)
    check(page)
    page.goto(session)
    finish(page)
    check(page)
    for path in (
        receipt,
        TERMINAL,
        f"{TERMINAL}start/",
        f"{TERMINAL}receipts/",
        f"{TERMINAL}language/",
        "/r/nothing",
    ):
        page.goto(path)
        check(page)
    page.goto(f"{TERMINAL}start/")
    page.locator("a.choice").first.click()
    check(page)
    sign_in(page, demo)
    check(page)
    page.locator(".rows a").last.click()
    check(page)
    context.close()


def test_staff_sign_in_and_watch(visit: Visit, demo: Demo) -> None:
    sign_in(visit.page, demo)

    expect(visit.page.locator("h1")).to_have_text("Overview")
    expect(visit.page.locator("article.station")).to_have_count(2)
    visit.page.locator("text=Records").click()
    expect(visit.page.locator("#site-name")).to_contain_text("eMabler records")
    assert visit.complaints == []


def sign_in(page: Page, demo: Demo) -> None:
    page.goto("/login/")
    page.locator("#id_username").fill("admin")
    page.locator("#id_password").fill(demo.password)
    page.locator("button").click()
    expect(page.locator("h1")).to_have_text("Overview")


def check(page: Page) -> None:
    """Nothing sticks out to the side, and everything that can be pressed can be hit."""
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 320, f"{page.url} is {width} px wide"
    assert page.evaluate(SMALL_TARGETS) == [], page.url
