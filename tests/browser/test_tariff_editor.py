"""The tariff editor in a real browser: recomputed while typing, complete without JavaScript, narrow, reachable."""

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Demo, Visit
from tests.browser.test_pages import check, sign_in

pytestmark = pytest.mark.browser
NEW = "/tariffs/new/"


def test_the_example_follows_what_is_typed(visit: Visit, demo: Demo) -> None:
    page = visit.page
    sign_in(page, demo)
    page.locator("a", has_text="Tariffs").click()
    page.locator("a", has_text="DC-150").click()
    page.locator("a", has_text="Edit").click()
    expect(page.locator("#samples-title + ul .bill-line").first).to_contain_text("29.50")
    page.locator("#preview summary", has_text="Suomi").click()

    page.locator("#id_energy_price").fill("1")
    expect(page.locator("#samples-title + ul .bill-line").first).to_contain_text("50.00")
    expect(page.locator("#announce")).to_contain_text("50.00")
    expect(page.locator("#preview [lang=fi]")).to_be_visible()
    expect(page.locator("#preview [lang=fi]")).to_contain_text("1,00 €/kWh")
    page.locator("#id_energy_price").fill("x")
    page.locator(".problems a", has_text="Energy").click()

    expect(page.locator("#id_energy_price")).to_be_focused()
    assert visit.complaints == []
    assert [r.url for r in visit.requests if not r.url.startswith(demo.url)] == []


def test_a_tariff_is_written_and_saved_without_javascript(plain_visit: Visit, demo: Demo) -> None:
    page = plain_visit.page
    sign_in(page, demo)
    page.goto(NEW)
    page.locator("#id_tariff_id").fill("PLAIN")
    page.locator("#id_vat").fill("25,5")
    page.locator("#id_energy_price").fill("0.40")
    page.locator("button", has_text="Add a rule").click()
    page.locator("#id_rules-0-energy_price").fill("0.20")
    page.locator("#id_rules-0-start_time").fill("22:00")
    page.locator("#id_rules-0-end_time").fill("06:00")
    page.locator("button:visible", has_text="Preview").last.click()
    expect(page.locator("#preview")).to_contain_text("22:00–06:00")
    page.locator("button", has_text="Save the tariff").click()

    expect(page.locator("h1")).to_have_text("PLAIN")
    expect(page.locator(".said")).to_contain_text("Version 1 is saved.")


def test_the_tariff_pages_fit_a_narrow_phone(browser: Browser, demo: Demo) -> None:
    context = browser.new_context(base_url=demo.url, viewport={"width": 320, "height": 640})
    page = context.new_page()
    sign_in(page, demo)
    for path in ("/tariffs/", NEW, f"{NEW}?mode=json"):
        page.goto(path)
        check(page)
    page.goto("/tariffs/")
    page.locator(".rows a").first.click()
    check(page)
    page.locator("a", has_text="Edit").click()
    page.locator("button", has_text="Add a rule").click()
    check(page)
    context.close()
