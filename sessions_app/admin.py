"""Sessions for staff: what happened, to read; and the one thing that can be asked of a session: to stop."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from chargers.admin import ReadOnlyAdmin
from sessions_app import lifecycle
from sessions_app.errors import NothingToStop
from sessions_app.models import CDR, MeterSample, Session, SessionEvent
from sessions_app.states import StopReason
from tariffs.engine.money import money_string


class ReadOnlyInline(admin.TabularInline):
    """Rows of evidence below the row they belong to."""

    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only the product writes them."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """They are never changed."""
        return False


class SessionEventInline(ReadOnlyInline):
    """The journal."""

    model = SessionEvent
    fields = ("number", "at", "kind", "state_before", "state_after", "actor", "data")


class CdrInline(ReadOnlyInline):
    """The bill."""

    model = CDR
    fields = ("issued_at", "energy_wh", "total_incl_minor", "currency", "credit_of")
    show_change_link = True


class ReasonForm(ActionForm):
    """Why, for an action that bills."""

    reason = forms.CharField(max_length=200, required=False, label="Reason")


@admin.register(Session)
class SessionAdmin(ReadOnlyAdmin):
    """Sessions, newest first."""

    list_display = (
        "id",
        "place",
        "state",
        "energy_kwh",
        "cost",
        "hold",
        "stop_reason",
        "requested_at",
        "flag",
    )
    list_filter = (
        "state",
        "stop_reason",
        "stale",
        ("needs_review", admin.EmptyFieldListFilter),
        "evse__site",
    )
    list_select_related = ("evse__site",)
    search_fields = ("id", "authorization_reference", "id_tag", "evse__uid", "evse__physical_reference")
    date_hierarchy = "requested_at"
    list_per_page = 50
    show_full_result_count = False
    exclude = ("cost_state", "meter_state")
    inlines = (SessionEventInline, CdrInline)
    actions = ("stop_charging", "close_in_books")
    action_form = ReasonForm

    @admin.display(description="where", ordering="evse__uid")
    def place(self, session: Session) -> str:
        """Site and EVSE."""
        return f"{session.evse.site} · {session.evse.label}"

    @admin.display(description="kWh", ordering="energy_wh")
    def energy_kwh(self, session: Session) -> str:
        """Energy with three digits."""
        return f"{session.energy_wh // 1000}.{session.energy_wh % 1000:03d}"

    @admin.display(description="cost", ordering="cost_incl_minor")
    def cost(self, session: Session) -> str:
        """Cost incl. VAT."""
        return f"{money_string(session.cost_incl_minor, session.currency)} {session.currency}"

    @admin.display(description="held", ordering="limit_minor")
    def hold(self, session: Session) -> str:
        """What is held."""
        return f"{money_string(session.limit_minor, session.currency)} {session.currency}"

    @admin.display(description="needs review")
    def flag(self, session: Session) -> str:
        """Why staff must look, or that the charger is silent."""
        return session.needs_review or ("silent" if session.stale else "")

    def has_stop_permission(self, request: HttpRequest) -> bool:
        """Whoever may change sessions may stop them; nobody edits them."""
        return request.user.has_perm("sessions_app.change_session")

    def has_bill_permission(self, request: HttpRequest) -> bool:
        """Ending a session without its charger decides what is billed."""
        return request.user.has_perm("payments.decide_money")

    @admin.action(description="Stop charging (sends a stop to the charger)", permissions=["stop"])
    def stop_charging(self, request: HttpRequest, queryset: QuerySet[Session]) -> None:
        """Ask each chosen session's charger to stop."""
        asked = 0
        for session_id in queryset.values_list("pk", flat=True):
            try:
                lifecycle.request_stop(
                    session_id,
                    reason=StopReason.OPERATOR,
                    actor=f"{request.user.get_username()} (admin)",
                    now=timezone.now(),
                )
                asked += 1
            except NothingToStop:
                messages.warning(request, f"{session_id} is over already.")
        messages.success(request, f"{asked} chargers were asked to stop.")

    @admin.action(
        description="Close in the books at the last meter value (asks nothing of the charger)",
        permissions=["bill"],
    )
    def close_in_books(self, request: HttpRequest, queryset: QuerySet[Session]) -> None:
        """End each chosen session whose charger will not tell its end any more."""
        closed, reason = 0, request.POST.get("reason", "").strip()
        if not reason:
            messages.error(request, "Say why beside the action: it bills these sessions as they stand.")
            return
        actor = f"{request.user.get_username()} (admin)"
        for session_id in queryset.values_list("pk", flat=True):
            try:
                lifecycle.close_in_books(session_id, actor=actor, reason=reason, now=timezone.now())
                closed += 1
            except NothingToStop:
                messages.warning(request, f"{session_id} is not running.")
        messages.success(request, f"{closed} sessions were closed in the books.")


@admin.register(MeterSample)
class MeterSampleAdmin(ReadOnlyAdmin):
    """Readings of the meter as they were judged."""

    list_display = ("session", "sampled_at", "register_wh", "power_w", "context", "parked", "dropped")
    list_filter = ("context", "parked", ("dropped", admin.EmptyFieldListFilter))
    search_fields = ("session__id",)
    show_full_result_count = False


@admin.register(CDR)
class CdrAdmin(ReadOnlyAdmin):
    """Bills."""

    list_display = ("id", "session_id", "issued_at", "energy_wh", "total", "credit_of")
    list_filter = ("currency", ("credit_of", admin.EmptyFieldListFilter))
    search_fields = ("id", "session__id", "session__authorization_reference")
    date_hierarchy = "issued_at"
    show_full_result_count = False
    readonly_fields: ClassVar = ("total",)

    @admin.display(description="total incl. VAT", ordering="total_incl_minor")
    def total(self, cdr: CDR) -> str:
        """The total incl. VAT."""
        return f"{money_string(cdr.total_incl_minor, cdr.currency)} {cdr.currency}"
