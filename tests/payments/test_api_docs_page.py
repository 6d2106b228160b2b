"""The page of the API description in a real browser: it draws itself under our CSP, from our files alone."""

import threading
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from django.core.wsgi import get_wsgi_application


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        """Keep quiet."""


@pytest.fixture
def pages_url():
    """Our pages on the loopback, without a database: the description needs none."""
    server = make_server("127.0.0.1", 0, get_wsgi_application(), _Server, _Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.browser
def test_the_page_draws_every_operation_without_breaking_the_csp(browser, pages_url):
    page = browser.new_page()
    complaints, elsewhere = [], []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "request",
        lambda request: (
            elsewhere.append(request.url)
            if not request.url.startswith((pages_url, "data:", "blob:"))
            else None
        ),
    )

    page.goto(f"{pages_url}/api/docs/")
    page.wait_for_selector('[data-path="/api/ptp/v1/sessions/{session_id}/events"]')

    assert page.locator(".opblock").count() >= 12
    assert complaints == []
    assert elsewhere == []
    page.close()
