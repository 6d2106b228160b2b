"""What of the log and of the outbox to show; it comes in the address of the page, so that it can be passed on."""

from typing import Any, Final
from urllib.parse import urlencode

from django import forms
from django.http import QueryDict

from emabler.portal.ocpi import words
from emabler.portal.ocpi.log import OUTCOMES, UNKNOWN_CALLER
from payments.models import OcpiConnection, OutboxMessage, Ptp

MODULES: Final = (
    "versions",
    "credentials",
    "locations",
    "tariffs",
    "sessions",
    "cdrs",
    "commands",
    "tokens",
    "payments",
)


def said(data: QueryDict) -> dict[str, str]:
    """Return the parts of an address without what no database takes."""
    return {name: str(text).replace("\0", "") for name, text in data.items()}


def query_of(form: forms.Form) -> str:
    """Return a filter as part of an address, without what is empty."""
    return urlencode({name: text for name in form.fields if (text := str(form[name].value() or ""))})


class LogFilter(forms.Form):
    """What to show of the log."""

    connection = forms.ChoiceField(label="Connection", required=False)
    direction = forms.ChoiceField(label="Direction", required=False)
    module = forms.ChoiceField(label="Module", required=False)
    outcome = forms.ChoiceField(label="Outcome", required=False)
    until = forms.DateTimeField(
        label="Until (UTC)",
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    q = forms.CharField(
        label="Text in it",
        required=False,
        max_length=100,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        names = OcpiConnection.objects.order_by("ptp__name").values_list("pk", "ptp__name")
        self._choose(
            "connection", [*((str(pk), name) for pk, name in names), (UNKNOWN_CALLER, "Unknown callers")]
        )
        self._choose("direction", [("IN", "From them"), ("OUT", "To them")])
        self._choose("module", [(module, module) for module in MODULES])
        self._choose("outcome", [(key, text) for key, (text, _) in OUTCOMES.items()])

    def _choose(self, name: str, choices: list[tuple[str, str]]) -> None:
        self.fields[name].choices = [("", "All"), *choices]  # type: ignore[attr-defined]

    def clean_q(self) -> str:
        return " ".join(str(self.cleaned_data["q"]).split())


class OutboxFilter(forms.Form):
    """What to show of the outbox."""

    state = forms.ChoiceField(
        label="State",
        required=False,
        choices=[
            ("", "Not delivered"),
            (OutboxMessage.State.DUE.value, "Waiting"),
            (OutboxMessage.State.GIVEN_UP.value, "Given up"),
            (OutboxMessage.State.DELIVERED.value, "Delivered"),
            ("all", "All"),
        ],
    )
    ptp = forms.ModelChoiceField(Ptp.objects.order_by("name"), label="PTP", required=False, empty_label="All")
    topic = forms.ChoiceField(label="About", required=False, choices=[("", "All"), *words.TOPICS.items()])
