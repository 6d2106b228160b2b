"""Chargers for staff: what they are and said, and what can be asked of them. Evidence is read-only."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from chargers import commands
from chargers.afir import refusals_at
from chargers.models import (
    EVSE,
    ChargingStation,
    Command,
    Connector,
    SignedMeterValue,
    Site,
    StationMessage,
    Transaction,
    WebProcess,
)


class ReadOnlyAdmin(admin.ModelAdmin):
    """Rows that are evidence: staff read them, nobody edits them."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class EvseInline(admin.TabularInline):
    model = EVSE
    fields = ("uid", "evse_id", "physical_reference", "number", "status", "status_at")
    readonly_fields = ("status", "status_at")
    extra = 0
    show_change_link = True


def _refuse_tariffs(form: forms.ModelForm, site: Site, max_power_w: int) -> None:
    """Refuse what AFIR forbids; a tariff that is attached already, by an import, stays."""
    chosen = form.cleaned_data.get("tariffs") or []
    attached = set(form.instance.tariffs.all()) if form.instance.pk else set()
    new = [tariff for tariff in chosen if tariff not in attached]
    for tariff, finding in refusals_at(site, max_power_w, new):
        form.add_error("tariffs", f"{tariff}: {finding.message} ({finding.rule})")


class ConnectorForm(forms.ModelForm):
    """One connector by itself; its EVSE is as strong as the strongest of its connectors."""

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        evse, power_w = self.cleaned_data.get("evse"), self.cleaned_data.get("max_power_w")
        if evse is not None and power_w is not None:
            others = evse.connectors.exclude(pk=self.instance.pk).values_list("max_power_w", flat=True)
            _refuse_tariffs(self, evse.site, max([power_w, *others]))
        return cleaned


class ConnectorFormSet(forms.BaseInlineFormSet):
    """All connectors of an EVSE at once."""

    def clean(self) -> None:
        super().clean()
        kept = [form for form in self.forms if form.cleaned_data and not form.cleaned_data.get("DELETE")]
        powers = [form.cleaned_data["max_power_w"] for form in kept if "max_power_w" in form.cleaned_data]
        if self.instance.site_id is None or not powers:
            return
        for form in kept:
            _refuse_tariffs(form, self.instance.site, max(powers))


class ConnectorInline(admin.TabularInline):
    model = Connector
    formset = ConnectorFormSet
    fields = ("connector_id", "standard", "power_type", "max_power_w", "tariffs")
    extra = 0


@admin.register(Site)
class SiteAdmin(admin.ModelAdmin):
    list_display = ("name", "location_id", "city", "country", "publish")
    list_filter = ("country", "publish")
    search_fields = ("name", "location_id", "city")
    readonly_fields = ("updated_at",)


@admin.register(ChargingStation)
class ChargingStationAdmin(admin.ModelAdmin):
    list_display = ("identity", "site", "is_online", "vendor", "model", "firmware_version", "last_seen_at")
    list_filter = ("site",)
    list_select_related = ("site", "process")
    search_fields = ("identity", "serial_number")
    inlines = (EvseInline,)
    exclude = ("secret_hash",)
    # What the station says of itself, and its presence, is not for editing.
    readonly_fields = (
        "vendor",
        "model",
        "serial_number",
        "firmware_version",
        "protocol",
        "booted_at",
        "configuration",
        "connection_id",
        "process",
        "channel_name",
        "connected_at",
        "disconnected_at",
        "last_seen_at",
        "swaps",
    )
    actions = ("reset_softly", "ask_statuses", "read_configuration")

    @admin.display(boolean=True, description="online")
    def is_online(self, station: ChargingStation) -> bool:
        return station.online

    @admin.action(description="Restart (soft reset)", permissions=["change"])
    def reset_softly(self, request: HttpRequest, queryset: QuerySet[ChargingStation]) -> None:
        _ask(request, queryset, lambda s, actor: commands.reset(station=s, hard=False, actor=actor))

    @admin.action(description="Ask for the present statuses", permissions=["change"])
    def ask_statuses(self, request: HttpRequest, queryset: QuerySet[ChargingStation]) -> None:
        _ask(
            request,
            queryset,
            lambda s, actor: commands.trigger(station=s, message="StatusNotification", actor=actor),
        )

    @admin.action(description="Read the configuration", permissions=["change"])
    def read_configuration(self, request: HttpRequest, queryset: QuerySet[ChargingStation]) -> None:
        _ask(request, queryset, lambda s, actor: commands.read_configuration(station=s, actor=actor))


@admin.register(EVSE)
class EvseAdmin(admin.ModelAdmin):
    list_display = (
        "uid",
        "physical_reference",
        "site",
        "station",
        "number",
        "status",
        "status_at",
        "removed",
    )
    list_filter = ("status", "site", "removed")
    list_select_related = ("site", "station")
    search_fields = ("uid", "evse_id", "physical_reference", "station__identity")
    readonly_fields = ("status", "status_at", "error_code", "updated_at")
    inlines = (ConnectorInline,)
    actions = ("unlock",)

    @admin.action(description="Unlock the cable", permissions=["change"])
    def unlock(self, request: HttpRequest, queryset: QuerySet[EVSE]) -> None:
        with_station = queryset.filter(station__isnull=False)
        _ask(request, with_station, lambda evse, actor: commands.unlock(evse=evse, actor=actor))


@admin.register(Connector)
class ConnectorAdmin(admin.ModelAdmin):
    form = ConnectorForm
    list_display = ("evse", "connector_id", "standard", "power_type", "max_power_w")
    list_filter = ("standard", "power_type")
    list_select_related = ("evse",)
    search_fields = ("evse__uid", "connector_id")
    readonly_fields = ("public_id", "updated_at", "tariffs_changed_at")


@admin.register(Transaction)
class TransactionAdmin(ReadOnlyAdmin):
    list_display = (
        "transaction_id",
        "station",
        "evse",
        "accepted",
        "started_at",
        "stopped_at",
        "stop_reason",
    )
    list_filter = ("accepted", "inferred", "stop_reason")
    list_select_related = ("station", "evse")
    search_fields = ("transaction_id", "id_tag", "station__identity")


@admin.register(SignedMeterValue)
class SignedMeterValueAdmin(ReadOnlyAdmin):
    list_display = ("transaction", "context", "sampled_at", "measurand", "dropped")
    list_filter = ("context", ("dropped", admin.EmptyFieldListFilter))
    list_select_related = ("transaction",)
    search_fields = ("transaction__transaction_id", "transaction__station__identity")
    show_full_result_count = False


@admin.register(Command)
class CommandAdmin(ReadOnlyAdmin):
    list_display = ("action", "station", "state", "actor", "created_at", "sent_at", "settled_at")
    list_filter = ("action", "state")
    list_select_related = ("station",)
    search_fields = ("reference", "station__identity", "actor")


@admin.register(StationMessage)
class StationMessageAdmin(ReadOnlyAdmin):
    list_display = ("received_at", "station", "action", "problem")
    list_filter = ("action",)
    list_select_related = ("station",)
    search_fields = ("station__identity", "problem")


@admin.register(WebProcess)
class WebProcessAdmin(ReadOnlyAdmin):
    list_display = ("id", "started_at", "alive_at")


def _ask(request: HttpRequest, rows: QuerySet[Any], ask: Callable[[Any, str], Command]) -> None:
    """Queue one command for each row, in the name of whoever clicked."""
    actor = request.user.get_username()
    with transaction.atomic():
        asked = [ask(row, actor) for row in rows[:200]]
    messages.info(request, f"Asked {len(asked)}; the answers are under Commands.")
