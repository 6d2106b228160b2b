"""Connections, messages and staff for the tests of the portal's OCPI pages."""

from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from payments.models import OcpiConnection, OcpiMessage, OutboxMessage, Ptp
from tests import builders

CHANGE = ("change_ocpiconnection", "change_outboxmessage")
HOSTILE = """"><svg/onload=alert(1)>'{{7*7}}</pre></script>"""
ENDPOINTS = {
    f"{module}:RECEIVER": f"https://ptp.example/ocpi/2.3.0/{module}"
    for module in ("credentials", "locations", "tariffs", "sessions", "cdrs")
} | {"payments:SENDER": "https://ptp.example/ocpi/2.3.0/payments"}


def staff(name: str = "olga", *permissions: str) -> Client:
    user = get_user_model().objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def connection(of: Ptp | None = None, *, registered: bool = True, **fields: Any) -> OcpiConnection:
    """A platform; registered, it speaks 2.3.0 and takes everything that we push."""
    facts: dict[str, Any] = {
        "ptp": of or builders.ptp(),
        "country_code": "NL",
        "party_id": "PAY",
        "our_country_code": "FI",
        "our_party_id": "EMB",
        "server_token_hash": f"{builders.next_number():064d}",
    }
    if registered:
        facts |= {
            "state": OcpiConnection.State.REGISTERED,
            "version": "2.3.0",
            "versions_url": "https://ptp.example/ocpi/versions",
            "endpoints": ENDPOINTS,
            "registered_at": timezone.now(),
            "last_heard_at": timezone.now(),
            "last_reached_at": timezone.now(),
        }
    return OcpiConnection.objects.create(**(facts | fields))


def message(of: OcpiConnection | None, **fields: Any) -> OcpiMessage:
    """A call that went well."""
    facts: dict[str, Any] = {
        "connection": of,
        "direction": "IN",
        "method": "GET",
        "url": "/ocpi/cpo/2.3.0/locations?limit=10",
        "module": "locations",
        "http_status": 200,
        "ocpi_status": 1000,
        "request_id": f"req-{builders.next_number()}",
        "correlation_id": f"cor-{builders.next_number()}",
        "response_body": '{"data":[],"status_code":1000,"timestamp":"2026-11-02T12:00:00Z"}',
        "duration_ms": 12,
    }
    return OcpiMessage.objects.create(**(facts | fields))


def outgoing(of: Ptp, *, at: datetime | None = None, **fields: Any) -> OutboxMessage:
    """A message that waits."""
    facts: dict[str, Any] = {
        "ptp": of,
        "topic": "ocpi.session",
        "subject": f"subject-{builders.next_number()}",
        "created_at": at or timezone.now(),
    }
    return OutboxMessage.objects.create(**(facts | fields))
