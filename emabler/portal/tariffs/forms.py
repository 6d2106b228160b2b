"""What a person writes in the editor: the usual prices, rules that come before them, notes, a sample to price."""

from typing import Any

from django import forms

from emabler.portal.tariffs.fields import ClockField, ExactDecimalField, MomentField, WholeField, choice
from payments.ocpi.tariffs import MAX_STEP
from tariffs.engine.terms import DayOfWeek, TariffType, TaxIncluded

MAX_RULES = 30
MAX_NOTES = 30
DAY_MINUTES = 366 * 1440
TYPES = [
    (TariffType.AD_HOC_PAYMENT.value, "Ad hoc payment"),
    ("", "All sessions"),
    (TariffType.REGULAR.value, "Contract, regular"),
    (TariffType.PROFILE_CHEAP.value, "Contract, cheap"),
    (TariffType.PROFILE_FAST.value, "Contract, fast"),
    (TariffType.PROFILE_GREEN.value, "Contract, green"),
]
TAXES = [
    (TaxIncluded.YES.value, "Prices include VAT"),
    (TaxIncluded.NO.value, "VAT comes on top"),
    (TaxIncluded.NOT_APPLICABLE.value, "No tax applies"),
]
TIME_UNITS = [("min", "per minute"), ("h", "per hour")]
DAYS = [(day.name, day.name[:3].capitalize()) for day in DayOfWeek]


class TariffForm(forms.Form):
    """The tariff itself: who it is, how it is taxed, and the prices that hold when no rule says otherwise."""

    tariff_id = forms.RegexField(
        r"^[A-Za-z0-9._\-]+$",
        label="Tariff id",
        max_length=36,
        help_text="Letters, digits, dot, dash. It stays for good.",
        error_messages={"invalid": "Letters, digits, dot, underscore and dash only."},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    type = choice("For", TYPES, required=False)
    currency = forms.CharField(
        label="Currency",
        max_length=3,
        help_text="ISO 4217, e.g. EUR",
        widget=forms.TextInput(attrs={"class": "short", "autocomplete": "off"}),
    )
    tax_included = choice("Taxes", TAXES)
    vat = ExactDecimalField(label="VAT %", required=False)
    energy_price = ExactDecimalField(label="Energy, per kWh", required=False)
    energy_step = WholeField(label="Billed in steps of (Wh)", most=MAX_STEP)
    time_unit = choice("Times are priced", TIME_UNITS)
    time_price = ExactDecimalField(label="While charging", required=False)
    time_step = WholeField(label="Billed in steps of (s)", most=MAX_STEP)
    parking_price = ExactDecimalField(
        label="While parked", required=False, help_text="connected, not charging"
    )
    parking_after = WholeField(
        label="… only after (minutes)", most=DAY_MINUTES, help_text="of the whole session"
    )
    parking_step = WholeField(label="Billed in steps of (s)", most=MAX_STEP)
    session_fee = ExactDecimalField(label="Start fee, per session", required=False)
    min_price_incl = ExactDecimalField(label="Least price, with VAT", required=False)
    min_price_excl = ExactDecimalField(label="Least price, before VAT", required=False)
    max_price_incl = ExactDecimalField(label="Greatest price, with VAT", required=False)
    max_price_excl = ExactDecimalField(label="Greatest price, before VAT", required=False)
    preauthorize_amount = ExactDecimalField(
        label="To hold on the card", required=False, help_text="Empty: the site's or the CPO's amount."
    )
    start_at = MomentField(label="Valid from (UTC)", seconds=True)
    end_at = MomentField(label="Valid to (UTC)", seconds=True)
    alt_url = forms.CharField(label="Web page about the price", max_length=255, required=False)

    def clean_currency(self) -> str:
        return str(self.cleaned_data["currency"]).upper()

    def clean(self) -> dict[str, Any]:
        """Refuse what cannot be meant. Field errors only."""
        values = self.cleaned_data
        _in_order(self, "start_at", "end_at", "It ends before it begins.")
        for side in ("incl", "excl"):
            message = "The greatest price is below the least."
            _in_order(self, f"min_price_{side}", f"max_price_{side}", message, equal=True)
        if values.get("tax_included") == TaxIncluded.YES and "vat" in values and values["vat"] is None:
            self.add_error("vat", "Name the rate that is included; 0 where none is.")
        if values.get("parking_after") and values.get("parking_price") is None:
            self.add_error("parking_price", "A price for these minutes is missing.")
        return values


class RuleForm(forms.Form):
    """Prices that hold only when all of its restrictions do; the first rule that fits wins, per kind of price."""

    energy_price = ExactDecimalField(label="Per kWh", required=False)
    time_price = ExactDecimalField(label="While charging", required=False)
    parking_price = ExactDecimalField(label="While parked", required=False)
    session_fee = ExactDecimalField(label="Start fee", required=False)
    days = forms.MultipleChoiceField(
        label="Days", choices=DAYS, required=False, widget=forms.CheckboxSelectMultiple
    )
    start_time = ClockField(label="From time")
    end_time = ClockField(label="To time")
    min_kwh = ExactDecimalField(label="From kWh", required=False)
    max_kwh = ExactDecimalField(label="To kWh", required=False)
    min_minutes = WholeField(label="From minute", most=DAY_MINUTES)
    max_minutes = WholeField(label="To minute", most=DAY_MINUTES)
    min_power_kw = ExactDecimalField(label="From kW", required=False)
    max_power_kw = ExactDecimalField(label="To kW", required=False)

    PRICES = ("energy_price", "time_price", "parking_price", "session_fee")
    LIMITS = ("min_kwh", "max_kwh", "min_minutes", "max_minutes", "min_power_kw", "max_power_kw")

    def clean(self) -> dict[str, Any]:
        """Refuse a rule that never prices anything."""
        values = self.cleaned_data
        for low, high in zip(self.LIMITS[::2], self.LIMITS[1::2], strict=True):
            _in_order(self, low, high, "It is not above where the rule begins.")
        if not self.errors and all(values.get(name) is None for name in self.PRICES):
            self.add_error("energy_price", "A rule has a price; 0 is free.")
        return values


class NoteForm(forms.Form):
    """A note to the driver in one language, shown below the prices."""

    language = forms.RegexField(
        r"^[A-Za-z]{2}$",
        label="Language",
        error_messages={"invalid": "Two letters, e.g. en."},
        widget=forms.TextInput(attrs={"class": "short", "autocomplete": "off", "maxlength": "2"}),
    )
    text = forms.CharField(label="Text", max_length=512)


class JsonForm(forms.Form):
    """The whole tariff as an OCPI Tariff object, for shapes that the form does not know."""

    document = forms.CharField(
        label="OCPI 2.3.0 Tariff",
        max_length=100_000,
        widget=forms.Textarea(attrs={"rows": "28", "spellcheck": "false", "class": "code"}),
    )


class SampleForm(forms.Form):
    """What the worked example assumes; it is not stored."""

    power_kw = ExactDecimalField(label="Charger's power (kW)")
    starts_at = MomentField(label="Sessions begin at", required=True)

    def clean_power_kw(self) -> Any:
        power_kw = self.cleaned_data["power_kw"]
        if not 1 <= power_kw <= 2000:
            raise forms.ValidationError("From 1 to 2000 kW.")
        return power_kw


def _in_order(form: forms.Form, low: str, high: str, message: str, *, equal: bool = False) -> None:
    least, most = form.cleaned_data.get(low), form.cleaned_data.get(high)
    if least is not None and most is not None and (most < least or (most == least and not equal)):
        form.add_error(high, message)
