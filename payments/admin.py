"""Money for staff: every payment with its journal, to read; messages to PTPs, to send again; PTPs and terminals."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from chargers.admin import ReadOnlyAdmin
from payments.models import (
    ApiKey,
    Confirmation,
    Contract,
    CreditNote,
    Decision,
    OcpiCommand,
    OcpiConnection,
    OcpiMessage,
    OutboxMessage,
    Payment,
    PaymentEvent,
    Ptp,
    Quote,
    Receipt,
    RefundRequest,
    SeenSite,
    SeenTariff,
    SettlementFile,
    SettlementFormat,
    SettlementLine,
    StoredToken,
    TariffNews,
    Terminal,
)
from payments.reconciliation import acts
from sessions_app.admin import ReadOnlyInline
from tariffs.engine.money import money_string


def _amount(minor: int, currency: str) -> str:
    return f"{money_string(minor, currency)} {currency}"


class PaymentEventInline(ReadOnlyInline):
    """The journal."""

    model = PaymentEvent
    fields = ("number", "at", "kind", "state_before", "state_after", "actor", "data")


class ConfirmationInline(ReadOnlyInline):
    """What the PTP said it captured."""

    model = Confirmation
    fields = ("confirmation_id", "status", "amount_minor", "currency", "eft_data", "received_at")


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    """Payments, newest first; those that staff must look at have a review reason."""

    list_display = (
        "authorization_reference",
        "state",
        "review",
        "held",
        "due",
        "captured",
        "owed",
        "terminal",
        "opened_at",
    )
    list_filter = ("state", "review", "currency", "terminal")
    list_select_related = ("terminal",)
    search_fields = ("id", "authorization_reference", "session__id", "card_last4", "receipt__number")
    date_hierarchy = "opened_at"
    list_per_page = 50
    show_full_result_count = False
    inlines = (PaymentEventInline, ConfirmationInline)

    @admin.display(description="held", ordering="authorized_minor")
    def held(self, payment: Payment) -> str:
        """What the PTP holds or held."""
        return _amount(payment.authorized_minor, payment.currency)

    @admin.display(description="due", ordering="due_minor")
    def due(self, payment: Payment) -> str:
        """What the PTP was told to capture."""
        return _amount(payment.due_minor, payment.currency)

    @admin.display(description="captured", ordering="captured_minor")
    def captured(self, payment: Payment) -> str:
        """What the PTP confirmed, or staff accepted."""
        return _amount(payment.captured_minor, payment.currency)

    @admin.display(description="taken too much", ordering="excess_minor")
    def owed(self, payment: Payment) -> str:
        """What the PTP took beyond what we may keep, and has not given back."""
        return _amount(payment.account.owed_minor, payment.currency) if payment.account.owed_minor else ""


@admin.register(Confirmation)
class ConfirmationAdmin(ReadOnlyAdmin):
    """What PTPs said, as it came."""

    list_display = ("confirmation_id", "payment", "status", "amount_minor", "currency", "received_at")
    list_filter = ("status", "ptp", "currency")
    list_select_related = ("payment",)
    search_fields = ("confirmation_id", "payment__authorization_reference")
    show_full_result_count = False


@admin.register(Receipt)
class ReceiptAdmin(ReadOnlyAdmin):
    """Receipts by number."""

    list_display = ("full_number", "seller", "payment", "total", "issued_at")
    list_filter = ("seller", "year")
    list_select_related = ("payment",)
    search_fields = ("number", "payment__authorization_reference")
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Receipt]:
        """Leave the PDFs where they are."""
        return super().get_queryset(request).defer("pdf")

    @admin.display(description="total incl. VAT")
    def total(self, receipt: Receipt) -> str:
        """The total incl. VAT."""
        return _amount(receipt.document["total_incl_minor"], receipt.document["currency"])


@admin.register(CreditNote)
class CreditNoteAdmin(ReadOnlyAdmin):
    """Credit notes by number."""

    list_display = ("full_number", "seller", "payment", "actor", "reason", "issued_at")
    list_filter = ("seller", "year")
    list_select_related = ("payment",)
    search_fields = ("number", "payment__authorization_reference")
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[CreditNote]:
        """Leave the PDFs where they are."""
        return super().get_queryset(request).defer("pdf")


# --- Reconciliation: staff decide in the portal, which knows what is allowed; here is what is stored -----------


@admin.register(Decision)
class DecisionAdmin(ReadOnlyAdmin):
    """What staff did that moved no payment: the rest of the journal."""

    list_display = ("at", "act", "actor", "subject", "payment", "reason")
    list_filter = ("act",)
    list_select_related = ("payment",)
    search_fields = ("=actor", "subject", "payment__authorization_reference")
    date_hierarchy = "at"
    list_per_page = 50
    show_full_result_count = False


@admin.register(RefundRequest)
class RefundRequestAdmin(ReadOnlyAdmin):
    """Refunds that two people decide."""

    list_display = ("payment", "amount", "state", "asked_by", "asked_at", "decided_by", "decided_at")
    list_filter = ("state",)
    list_select_related = ("payment", "asked_by", "decided_by")
    search_fields = ("payment__authorization_reference",)
    show_full_result_count = False

    @admin.display(description="amount", ordering="amount_minor")
    def amount(self, request: RefundRequest) -> str:
        """What is to go back."""
        return _amount(request.amount_minor, request.payment.currency)


@admin.register(SettlementFile)
class SettlementFileAdmin(ReadOnlyAdmin):
    """Settlement files as they were imported; one that was withdrawn stays."""

    list_display = ("name", "ptp", "line_count", "imported_at", "imported_by", "withdrawn_at")
    list_filter = ("ptp", ("withdrawn_at", admin.EmptyFieldListFilter))
    list_select_related = ("ptp",)
    search_fields = ("name", "=sha256")


@admin.register(SettlementLine)
class SettlementLineAdmin(ReadOnlyAdmin):
    """Their lines."""

    list_display = ("reference", "amount", "file", "number", "payment", "captured_at", "payout_id")
    list_filter = ("file__ptp", "currency", ("payment", admin.EmptyFieldListFilter))
    list_select_related = ("file", "payment")
    search_fields = ("reference", "=payout_id", "payment__authorization_reference")
    list_per_page = 50
    show_full_result_count = False

    @admin.display(description="amount", ordering="amount_minor")
    def amount(self, line: SettlementLine) -> str:
        """What was paid out, below zero for a refund."""
        return _amount(line.amount_minor, line.currency)


@admin.register(SettlementFormat)
class SettlementFormatAdmin(ReadOnlyAdmin):
    """How PTPs name the columns of their files."""

    list_display = ("ptp", "columns")
    list_select_related = ("ptp",)


@admin.register(OutboxMessage)
class OutboxMessageAdmin(ReadOnlyAdmin):
    """Messages to PTPs."""

    list_display = ("topic", "subject", "ptp", "state", "attempts", "next_attempt_at", "last_error")
    list_filter = ("state", "topic", "ptp")
    list_select_related = ("ptp",)
    search_fields = ("subject", "last_error")
    show_full_result_count = False
    actions = ("send_again",)

    def has_send_permission(self, request: HttpRequest) -> bool:
        """Whoever may change messages may have them sent again; nobody edits them."""
        return request.user.has_perm("payments.change_outboxmessage")

    @admin.action(description="Send again now", permissions=["send"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[OutboxMessage]) -> None:
        """Make each chosen message due as if it had never failed, with the newest content."""
        chosen = list(queryset)
        actor = f"{request.user.get_username()} (admin)"
        for message in chosen:
            acts.send_message_again(message.pk, actor=actor, now=timezone.now())
        messages.success(request, f"{len(chosen)} messages are on their way.")


@admin.register(Ptp)
class PtpAdmin(admin.ModelAdmin):
    """Payment terminal providers; their secrets are set by importing a network file."""

    list_display = ("name", "webhook_url", "created_at")
    search_fields = ("name",)
    exclude = ("webhook_secret_sealed",)
    readonly_fields = ("created_at",)
    formfield_overrides: ClassVar = {models.URLField: {"assume_scheme": "https"}}

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Payments were made through it."""
        return False


@admin.register(Terminal)
class TerminalAdmin(admin.ModelAdmin):
    """Terminals and what they sell."""

    list_display = ("terminal_id", "ptp", "last_seen_at")
    list_filter = ("ptp", "sites")
    list_select_related = ("ptp",)
    search_fields = ("terminal_id",)
    filter_horizontal = ("sites", "evses")
    readonly_fields = ("last_seen_at",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Payments were made at it."""
        return False


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """API keys: only their first characters are known here."""

    list_display = ("prefix", "ptp", "terminal", "created_at", "last_used_at", "revoked_at")
    list_filter = ("ptp", ("revoked_at", admin.EmptyFieldListFilter))
    list_select_related = ("ptp", "terminal")
    exclude = ("key_hash",)
    actions = ("revoke",)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Whoever may change keys may revoke them."""
        return request.user.has_perm("payments.change_apikey")

    @admin.action(description="Revoke", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        """End the chosen keys now."""
        count = queryset.filter(revoked_at__isnull=True).update(revoked_at=timezone.now())
        messages.success(request, f"{count} keys were revoked.")


@admin.register(Quote)
class QuoteAdmin(ReadOnlyAdmin):
    """Prices as they were shown."""

    list_display = ("id", "ptp", "connector", "preauthorize_minor", "currency", "created_at", "valid_until")
    list_filter = ("ptp", "currency")
    list_select_related = ("ptp", "connector__evse")
    show_full_result_count = False


# --- OCPI: daily work is in the portal, which knows what a handshake allows; here is what is stored ------------


class ContractInline(ReadOnlyInline):
    """The platform's contracts."""

    model = Contract
    fields = ("customer_reference", "country_code", "party_id")


@admin.register(OcpiConnection)
class OcpiConnectionAdmin(ReadOnlyAdmin):
    """Connections; neither a token's hash nor a sealed token is shown."""

    list_display = ("ptp", "state", "country_code", "party_id", "role", "version", "last_heard_at")
    list_filter = ("state", "version", "role")
    list_select_related = ("ptp",)
    search_fields = ("ptp__name", "party_id")
    exclude = ("server_token_hash", "pending_token_hash", "client_token_sealed")
    inlines = (ContractInline,)
    formfield_overrides: ClassVar = {models.URLField: {"assume_scheme": "https"}}


@admin.register(OcpiMessage)
class OcpiMessageAdmin(ReadOnlyAdmin):
    """Messages both ways; the portal searches them."""

    list_display = ("at", "connection", "direction", "method", "module", "http_status", "ocpi_status")
    list_filter = ("direction", "module", "connection")
    list_select_related = ("connection__ptp",)
    search_fields = ("=correlation_id", "=request_id")
    list_per_page = 50
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[OcpiMessage]:
        """Leave the bodies where they are until one is looked at."""
        return super().get_queryset(request).defer("request_body", "response_body")


@admin.register(OcpiCommand)
class OcpiCommandAdmin(ReadOnlyAdmin):
    """Commands of platforms and the one result that each of them got."""

    list_display = ("created_at", "connection", "kind", "payment", "result", "message")
    list_filter = ("kind", "result", "connection")
    list_select_related = ("connection__ptp", "payment")
    search_fields = ("=correlation_id", "payment__authorization_reference")
    show_full_result_count = False


@admin.register(SeenTariff)
class SeenTariffAdmin(ReadOnlyAdmin):
    """Which tariff version a platform last acknowledged: what its sessions are priced by."""

    list_display = ("connection", "tariff", "version", "hold_minor", "seen_at")
    list_filter = ("connection",)
    list_select_related = ("connection__ptp", "tariff", "version__tariff")
    search_fields = ("tariff__tariff_id",)


@admin.register(TariffNews)
class TariffNewsAdmin(ReadOnlyAdmin):
    """Since when a platform could have asked for a tariff as it is."""

    list_display = ("connection", "tariff", "ocpi_version", "version", "hold_minor", "news_at")
    list_filter = ("connection", "ocpi_version")
    list_select_related = ("connection__ptp", "tariff", "version__tariff")
    search_fields = ("tariff__tariff_id",)


@admin.register(SeenSite)
class SeenSiteAdmin(ReadOnlyAdmin):
    """Which Locations a platform was told."""

    list_display = ("connection", "site", "seen_at")
    list_filter = ("connection",)
    list_select_related = ("connection__ptp", "site")
    search_fields = ("site__location_id", "site__name")


@admin.register(StoredToken)
class StoredTokenAdmin(ReadOnlyAdmin):
    """Tokens that platforms stored with us."""

    list_display = ("uid", "type", "connection", "country_code", "party_id", "updated_at")
    list_filter = ("type", "connection")
    list_select_related = ("connection__ptp",)
    search_fields = ("=uid",)
    show_full_result_count = False
