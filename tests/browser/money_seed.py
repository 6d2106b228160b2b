"""Fill a database with payments at every point of reconciliation: `python -m tests.browser.money_seed`.

It runs in a process of its own, on the database of a running server. Prints a payment that was refunded, and the
token of its receipt.
"""

import os
import sys
from datetime import timedelta
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "emabler.settings")
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402  (Django first)
from django.contrib.auth.models import Permission  # noqa: E402

from payments import decisions  # noqa: E402
from payments.models import OutboxMessage, Terminal  # noqa: E402
from payments.receipts.tokens import token_for  # noqa: E402
from payments.reconciliation import refunds  # noqa: E402
from payments.states import Review  # noqa: E402
from sessions_app.models import Session  # noqa: E402
from tests import builders  # noqa: E402
from tests.payments.reconciliation.cast import NOW, captured, due, orphan, paid_out, told  # noqa: E402

PASSWORD = "a-long-enough-password"


def person(name: str) -> Any:
    """Someone of the staff who may decide about money."""
    user = get_user_model().objects.create_user(name, password=PASSWORD, is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="decide_money"))
    return user


def seed() -> None:
    """Make two terminals with payments of several days, and one item of each kind for the review."""
    anna, _ = (person(name) for name in ("anna", "emil"))
    harbour, market = builders.cast(webhook_url="https://ptp.invalid/hook"), builders.cast()
    for number, cast in enumerate((harbour, market), 1):
        cast.site.name = ("Harbour garage", "Market square")[number - 1]
        cast.site.save()
        Terminal.objects.filter(pk=cast.terminal.pk).update(terminal_id=f"T-NORTH-{number}")
    old = [captured(harbour, at=NOW - timedelta(days=days)) for days in (1, 1, 2, 3, 5)]
    told(due(market, at=NOW - timedelta(days=9)), "PARTIAL_SUCCESS", 400)
    told(due(market, at=NOW - timedelta(days=2)), "FAILED", 0)
    told(due(market, at=NOW - timedelta(days=1)), "SUCCESS", 900)
    decisions.flag(due(harbour, at=NOW - timedelta(days=1)).pk, Review.UNCONFIRMED, now=NOW)
    refunded = captured(harbour)
    decisions.refund(refunded.pk, 300, actor="anna", reason="The cable was broken", now=NOW)
    decisions.acknowledge_refund(refunded.pk, now=NOW)
    doubted = captured(market, at=NOW - timedelta(days=1))
    Session.objects.filter(pk=doubted.session_id).update(
        needs_review="the charger's clock went back during the session"
    )
    orphan(market.ptp, "auth-mistyped")
    due(market, at=NOW - timedelta(hours=2))
    paid_out(
        harbour.ptp,
        *((payment.authorization_reference, "10.00") for payment in old[1:]),
        ("their-own-id", "4.20"),
    )
    OutboxMessage.objects.filter(subject=str(old[0].pk)).update(state="GIVEN_UP", last_error="HTTP 410")
    asked = captured(harbour)
    refunds.refund(asked.pk, 1000, user=anna, reason="Charged twice, says the driver", now=NOW)
    assert refunded.session_id is not None
    sys.stdout.write(f"{refunded.pk} {token_for(refunded.session_id)}\n")


if __name__ == "__main__":
    seed()
