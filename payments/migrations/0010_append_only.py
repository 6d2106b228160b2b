from django.db import migrations

from sessions_app.append_only import append_only

DOCUMENT = ["id", "seller", "year", "number", "issued_at", "document", "payment_id"]


class Migration(migrations.Migration):

    dependencies = [
        ("payments", "0009_reconciliation"),
        ("sessions_app", "0004_append_only"),
    ]

    operations = [
        append_only("payments_paymentevent"),
        append_only("payments_decision"),
        append_only("payments_receipt", columns=DOCUMENT, once=["pdf"]),
        append_only("payments_creditnote", columns=[*DOCUMENT, "cdr_id", "actor", "reason"], once=["pdf"]),
        # An orphan may be given to a payment, once; what the PTP said stays.
        append_only(
            "payments_confirmation",
            columns=[
                "id",
                "ptp_id",
                "authorization_reference",
                "confirmation_id",
                "status",
                "amount_minor",
                "currency",
                "eft_data",
                "request_hash",
                "message",
                "document",
                "received_at",
            ],
            once=["payment_id"],
        ),
    ]
