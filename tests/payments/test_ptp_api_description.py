"""The API description is true: every answer has the shape it promises, every path and code is in it."""

import copy
import json
import re
from datetime import timedelta

import jsonschema
import pytest
from django.test import Client
from django.utils import timezone

from payments import decisions, exact_json, settlement, webhooks
from payments.models import CreditNote, OutboxMessage
from payments.ptp_api import urls
from payments.ptp_api.openapi import PREFIX, description
from payments.ptp_api.problems import CODES
from payments.settlement import CaptureReport
from payments.states import CaptureStatus
from tests import builders
from tests.payments.ptp_client import start_body


@pytest.fixture(scope="module")
def components():
    """The described shapes, closed: a member that is not described is a fault here."""
    closed = copy.deepcopy(description()["components"])
    for shape in closed["schemas"].values():
        if shape.get("type") == "object":
            shape["additionalProperties"] = False
    return closed


def check(components, shape, document):
    schema = {"$ref": f"#/components/schemas/{shape}", "components": components}
    jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    ).validate(document)


def shape_of(path, method, status):
    """The name of the shape that the description gives for an answer, and its content type."""
    answer = description()["paths"][f"{PREFIX}{path}"][method]["responses"][str(status)]
    ((content_type, content),) = answer["content"].items()
    return content["schema"]["$ref"].rpartition("/")[2], content_type


def refund(payment):
    """The id of a refund of this payment, made on the first call."""
    if not CreditNote.objects.filter(payment=payment).exists():
        decisions.refund(payment.pk, 100, actor="anna", reason="broken cable", now=timezone.now())
    return CreditNote.objects.get(payment=payment).cdr_id


def test_every_answer_has_the_shape_that_is_described(cast, terminal, components):
    body = start_body(cast)
    terminal_id = cast.terminal.terminal_id
    refused_id = cast.payment().session_id
    refused = terminal.start(body)
    terminal.post(f"/sessions/{refused_id}/stop")
    running = cast.running(now=timezone.now() - timedelta(minutes=20))
    one = f"sessions/{running.payment.session_id}"
    running.meter(energy_wh=1000, after_seconds=60, power_w=60_000)
    live = terminal.get(f"/{one}")
    pending = terminal.get(f"/{one}/settlement")
    stopping = terminal.post(f"/{one}/stop")
    running.end(energy_wh=10_000, after_seconds=1200, reason="Remote")
    report = {"confirmation_id": "c", "status": "SUCCESS", "amount": "5.00", "currency": "EUR"}
    given = "sessions/{session_id}"

    for path, method, answer in (
        ("connectors", "get", terminal.get("/connectors", terminal_id=terminal_id)),
        ("connectors/{connector_id}/quote", "get", terminal.get(f"/connectors/{body['connector_id']}/quote")),
        ("sessions", "post", refused),
        ("sessions", "post", terminal.start(start_body(cast, authorized_amount=1))),
        (given, "get", live),
        (f"{given}/settlement", "get", pending),
        (f"{given}/stop", "post", stopping),
        (f"{given}/stop", "post", terminal.post(f"/{one}/stop")),
        ("settlements", "get", terminal.get("/settlements", status="due")),
        (f"{given}/settlement", "get", terminal.get(f"/{one}/settlement")),
        (f"{given}/capture", "post", terminal.post(f"/{one}/capture", report)),
        (f"{given}/release", "post", terminal.post(f"/{one}/release")),
        ("refunds", "get", refund(running.payment) and terminal.get("/refunds", status="due")),
        ("refunds/{refund_id}/confirm", "post", terminal.post(f"/refunds/{refund(running.payment)}/confirm")),
        ("receipts", "get", terminal.get("/receipts", terminal_id=terminal_id)),
        ("heartbeat", "post", terminal.post("/heartbeat", {"terminal_id": terminal_id})),
    ):
        shape, content_type = shape_of(path, method, answer.status_code)
        assert answer["Content-Type"] == content_type
        check(components, shape, answer.json())


def test_a_started_session_has_the_shape_that_is_described(cast, terminal, components):
    answer = terminal.start(start_body(cast))

    assert answer.status_code == 202
    check(components, shape_of("sessions", "post", 202)[0], answer.json())


def captured(payment):
    return CaptureReport(
        confirmation_id="c", status=CaptureStatus.SUCCESS, amount_minor=payment.due_minor, currency="EUR"
    )


@pytest.mark.parametrize(
    ("topic", "shape"),
    [("session.updated", "SessionUpdated"), ("settlement.due", "SettlementDue"), ("refund.due", "RefundDue")],
)
def test_webhooks_have_the_shape_that_is_described(db, components, monkeypatch, topic, shape):
    sent = []
    monkeypatch.setattr(webhooks, "post", lambda url, body, headers: sent.append(body) or 200)
    cast = builders.cast(webhook_url="https://ptp.example.org/hooks")
    running = cast.running(now=timezone.now() - timedelta(minutes=20))
    payment = running.end(energy_wh=10_000, after_seconds=1200)
    subject = payment.pk
    if topic == "refund.due":
        settlement.confirm(payment.pk, captured(payment), now=timezone.now())
        subject = refund(payment)
    message = OutboxMessage(ptp=cast.ptp, topic=topic, subject=str(subject))

    carrier = {
        "refund.due": webhooks.carry_refund_due,
        "session.updated": webhooks.carry_session_updated,
        "settlement.due": webhooks.carry_settlement_due,
    }
    assert carrier[topic](message).delivered

    check(components, shape, json.loads(sent[0]))
    assert description()["webhooks"][topic]


def test_every_path_is_described():
    served = {
        re.sub(r"<uuid:(\w+)>", r"{\1}", str(pattern.pattern)) for pattern in urls.urlpatterns if pattern.name
    }

    assert {path.removeprefix(PREFIX) for path in description()["paths"]} == served


def test_every_code_is_described():
    text = exact_json.dumps(description())

    assert not {code for code in CODES if f"`{code}`" not in text}


def test_every_request_that_writes_describes_its_body():
    for path, operations in description()["paths"].items():
        for method, operation in operations.items():
            described = "requestBody" in operation
            assert described == (method == "post" and not path.endswith(("/stop", "/release", "/confirm"))), (
                path
            )
            assert operation["security"] == [{"key": []}]
            assert operation["operationId"]


def test_the_description_is_served_as_yaml_and_json():
    client = Client()

    assert client.get("/api/schema/").status_code == 200
    assert client.get("/api/schema/?format=json").json() == description()


def test_the_page_of_the_description_has_nothing_inline_and_nothing_from_elsewhere():
    page = Client().get("/api/docs/")
    html = page.content.decode()

    sources = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert page.status_code == 200
    assert "default-src 'self'" in page["Content-Security-Policy"]
    assert len(sources) == 4
    assert all(source.startswith("/") and not source.startswith("//") for source in sources)
    assert not re.search(r"<style|<script>|onclick|style=", html)
    for source in sources:
        assert Client().get(source.replace("&amp;", "&")).status_code == 200
