"""People who look at and decide about money, and what they read."""

import re
from typing import Any

from django.contrib.auth.models import Permission
from django.test import Client

from tests.payments.reconciliation.cast import person


def viewer(name: str = "vera") -> Client:
    """Someone of the staff who may look."""
    client = Client()
    client.force_login(person(name))
    return client


def decider(name: str = "dora") -> Client:
    """Someone of the staff who may decide about money."""
    user = person(name)
    user.user_permissions.add(Permission.objects.get(codename="decide_money"))
    client = Client()
    client.force_login(user)
    return client


def text(response: Any) -> str:
    """The page as it is read: blanks joined, no tags."""
    body = response.content.decode().replace("\u00a0", " ")
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", body))


def said(client: Client, path: str, data: dict[str, Any] | None = None) -> str:
    """The page after a form was sent."""
    return text(client.post(path, data or {}, follow=True))
