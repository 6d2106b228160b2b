"""What staff choose and enter about money."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

from django import forms

from emabler.portal.money import words
from payments.models import Payment, Ptp
from payments.reconciliation import settlement_csv
from payments.reconciliation.books import MOST_DAYS, Period
from payments.reconciliation.evidence import NONE, Evidence
from payments.reconciliation.match import Ageing, Standing
from tariffs.engine.errors import MoneyError
from tariffs.engine.money import money_string, parse_amount

MOST_MINOR: Final = 10**12  # more is no payment at a terminal
YEARS: Final = range(2000, 2101)
USUAL_DAYS: Final = 31  # shown when nothing is chosen
_DAY: Final = {"type": "date"}


class BooksFilter(forms.Form):
    """Which payments to show; it comes in the address, so that it can be passed on."""

    first = forms.DateField(label="From", required=False, widget=forms.DateInput(_DAY, format="%Y-%m-%d"))
    last = forms.DateField(label="To", required=False, widget=forms.DateInput(_DAY, format="%Y-%m-%d"))
    ptp = forms.ModelChoiceField(Ptp.objects.order_by("name"), label="PTP", required=False, empty_label="All")
    terminal = forms.CharField(label="Terminal", required=False, max_length=36)
    currency = forms.CharField(label="Currency", required=False, max_length=3)
    standing = forms.ChoiceField(
        label="Standing",
        required=False,
        choices=[("", "All"), *((s.value, words.STANDING[s].text) for s in Standing)],
    )
    age = forms.ChoiceField(
        label="Due for", required=False, choices=[("", "Any time"), *((a.name, a.value) for a in Ageing)]
    )

    def __init__(self, data: Mapping[str, str], *, today: date, brief: bool = False) -> None:
        usual = {"first": today - timedelta(days=USUAL_DAYS - 1), "last": today}
        entered = {name: text for name, text in data.items() if text}
        chosen = {} if entered.keys() & usual.keys() else {n: day.isoformat() for n, day in usual.items()}
        super().__init__({**chosen, **entered})
        self.today = today
        if brief:  # sums are by standing and by age already
            del self.fields["standing"], self.fields["age"]

    def clean_currency(self) -> str:
        return str(self.cleaned_data["currency"]).upper()

    def clean(self) -> dict[str, Any]:
        """Complete the period. A period that cannot be read becomes the usual one, and says so."""
        cleaned = super().clean() or {}
        for name in ("first", "last"):
            if (day := cleaned.get(name)) and day.year not in YEARS:
                self.add_error(name, f"A year between {YEARS[0]} and {YEARS[-1]}.")
                cleaned[name] = None
        last = cleaned.get("last") or self.today
        first = cleaned.get("first") or min(last, last - timedelta(days=USUAL_DAYS - 1))
        if first > last:
            self.add_error("first", "It begins after its end.")
        elif (last - first).days >= MOST_DAYS:
            self.add_error("first", f"At most {MOST_DAYS} days.")
        return {**cleaned, "first": first, "last": last}

    def period(self) -> Period:
        """Return the period that is shown; the form is cleaned."""
        chosen = self.cleaned_data
        last = chosen.get("last") or self.today
        first = chosen.get("first") or last - timedelta(days=USUAL_DAYS - 1)
        return Period(
            first=first,
            last=last,
            ptp_id=chosen["ptp"].pk if chosen.get("ptp") else None,
            terminal=chosen.get("terminal") or "",
            currency=chosen.get("currency") or "",
        )


class ReasonForm(forms.Form):
    """Why it is done, for those who read the journal later."""

    reason = forms.CharField(
        label="Why? It is kept in the journal with your name.",
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def clean_reason(self) -> str:
        """Return it on one line. Raises ValidationError for blanks alone."""
        text = " ".join(str(self.cleaned_data["reason"]).replace("\0", "").split())
        if not text:
            raise forms.ValidationError("Say why, so that others understand it later.")
        return text


class RefundForm(ReasonForm):
    """How much goes back, and why."""

    amount = forms.CharField(
        max_length=20, widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
    )
    seen = forms.IntegerField(widget=forms.HiddenInput)
    field_order = ("amount", "reason", "seen")

    def __init__(self, data: Any = None, *, payment: Payment) -> None:
        self.payment = payment
        super().__init__(data, initial={"seen": payment.event_count, "amount": self.most()})
        self.fields["amount"].label = f"Amount in {payment.currency}, at most {self.most()}"
        self.fields["reason"].label = "Why? The driver reads it on the credit note."

    def most(self) -> str:
        """Return what may go back at most."""
        return money_string(max(0, self.payment.account.refundable_minor), self.payment.currency)

    def clean_amount(self) -> int:
        """Return minor units. Raises ValidationError."""
        minor = _minor(self.cleaned_data["amount"], self.payment.currency)
        if not 0 < minor <= self.payment.account.refundable_minor:
            raise forms.ValidationError(f"More than nothing, and at most {self.most()}.")
        return minor


class AcceptForm(ReasonForm):
    """What was captured in all, as it is offered or as a person enters it, and why."""

    amount = forms.CharField(
        max_length=20, widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
    )
    seen = forms.CharField(max_length=200, widget=forms.HiddenInput)
    field_order = ("amount", "reason", "seen")

    def __init__(self, data: Any = None, *, payment: Payment, found: Evidence | None = None) -> None:
        self.payment = payment
        found = found or NONE
        minor = found.asked.amount_minor if found.asked else found.amount_minor
        amount = "" if minor is None else money_string(minor, payment.currency)
        super().__init__(data, initial={"seen": found.key, "amount": amount}, auto_id="accept_%s")
        back = ", less what was too much and is back" if payment.excess_returned_minor else ""
        self.fields["amount"].label = f"Captured in all{back}, in {payment.currency}; 0 for nothing"
        if found.amount_minor is not None:
            self.fields["amount"].widget = forms.HiddenInput()

    def clean_amount(self) -> int:
        """Return minor units. Raises ValidationError."""
        minor = _minor(self.cleaned_data["amount"], self.payment.currency)
        if not self.payment.captured_minor <= minor <= MOST_MINOR:
            booked = money_string(self.payment.captured_minor, self.payment.currency)
            raise forms.ValidationError(f"At least the {booked} that are booked; what goes back is a refund.")
        return minor


def _minor(text: str, currency: str) -> int:
    """Return minor units. Raises ValidationError."""
    try:
        return parse_amount(str(text).strip().replace(",", "."), currency)
    except MoneyError as error:
        raise forms.ValidationError(str(error)) from None


class MatchForm(ReasonForm):
    """The payment that an orphan is of."""

    payment = forms.UUIDField(error_messages={"required": "Choose the payment first."})


class UploadForm(forms.Form):
    """A settlement file of a PTP."""

    ptp = forms.ModelChoiceField(Ptp.objects.order_by("name"), label="PTP", empty_label="Choose")
    file = forms.FileField(
        label="CSV file", widget=forms.FileInput(attrs={"accept": ".csv,text/csv,text/plain"})
    )

    def clean_file(self) -> Any:
        """Return the file. Raises ValidationError before anything of a large one is read."""
        file = self.cleaned_data["file"]
        if file.size > settlement_csv.MAX_BYTES:
            raise forms.ValidationError(f"At most {settlement_csv.MAX_BYTES // 1024 // 1024} MB. Split it.")
        return file


class ColumnsForm(forms.Form):
    """How a PTP names the columns."""

    def __init__(self, data: Any = None, *, columns: dict[str, str]) -> None:
        super().__init__(data)
        for column in settlement_csv.COLUMNS:
            named = columns.get(column, column)
            self.fields[column] = forms.CharField(
                label=column,
                required=False,
                max_length=100,
                initial="" if named == column else named,
                widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": column}),
            )
