"""The OCPI pages in a real browser: inviting, searching, on narrow phones, without a script, ours alone."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from payments.simulator.ocpi.wire import OcpiClient
from tests.browser.conftest import Demo, Visit
from tests.browser.test_pages import check, sign_in

pytestmark = pytest.mark.browser
HOME = "/connections/"


def invited(page: Page, name: str) -> str:
    """Create a connection and return its token A."""
    page.goto(f"{HOME}new/")
    page.locator("#id_name").fill(name)
    page.locator("#id_country_code").fill("nl")
    page.locator("#id_party_id").fill("pay")
    page.locator("main button", has_text="Create").click()
    expect(page.locator("h1")).to_have_text(f"Give this to {name}")
    return page.locator("#token-a").inner_text()


def test_an_invited_platform_is_heard_and_its_traffic_is_found(visit: Visit, demo: Demo) -> None:
    page = visit.page
    sign_in(page, demo)
    token = invited(page, "Browser PTP")
    platform = OcpiClient(token)
    assert platform.get(f"{demo.url}/ocpi/versions", routed=False).ok
    platform.close()

    page.locator("a", has_text="I have copied it").click()
    expect(page.locator("h1")).to_have_text("Browser PTP")
    expect(page.locator("main")).not_to_contain_text(token)
    page.locator("a", has_text="All messages").click()
    expect(page.locator(".messages tbody tr")).to_have_count(1)
    page.locator(".messages a.code").click()
    expect(page.locator("h1")).to_have_text("One conversation")
    expect(page.locator(".exchange .body")).to_contain_text('"version": "2.3.0"')
    page.locator("a", has_text="Messages").click()
    page.locator("#id_q").fill("no such text")
    page.locator("button", has_text="Show").click()
    expect(page.locator(".empty")).to_have_text("No message matches.")

    assert visit.complaints == []
    assert [r.url for r in visit.requests if not r.url.startswith(demo.url)] == []


def test_a_connection_is_set_up_without_javascript(plain_visit: Visit, demo: Demo) -> None:
    page = plain_visit.page
    sign_in(page, demo)
    first = invited(page, "Plain PTP")
    page.goto(HOME)
    page.locator("a", has_text="Plain PTP").click()
    page.locator("#id_customer_reference").fill("KIOSK")
    page.locator("button", has_text="Add contract").click()
    expect(page.locator(".contracts")).to_contain_text("KIOSK")
    page.locator("#id_languages").fill("xx")
    page.locator("button", has_text="Save settings").click()
    expect(page.locator("#settings .errorlist")).to_have_text("We have no texts in xx.")

    page.goto(HOME)
    page.locator("a", has_text="Plain PTP").click()
    page.locator(".acts a", has_text="Invite anew").click()
    expect(page.locator("main p").last).to_contain_text("no longer good")
    page.locator("button", has_text="Make a new token A").click()
    assert page.locator("#token-a").inner_text() != first


def test_the_ocpi_pages_fit_a_narrow_phone(browser: Browser, demo: Demo) -> None:
    context = browser.new_context(base_url=demo.url, viewport={"width": 320, "height": 640})
    page = context.new_page()
    sign_in(page, demo)
    invited(page, "Narrow PTP with quite a long name")
    check(page)
    page.locator("a", has_text="I have copied it").click()
    here = page.url
    check(page)
    for path in (HOME, f"{HOME}new/", f"{here}invite/", f"{here}connect/", f"{HOME}log/", f"{HOME}outbox/"):
        page.goto(path)
        check(page)
    assert re.search(r"/connections/\d+/$", here)
    context.close()
