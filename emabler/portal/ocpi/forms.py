"""What staff enter about a connection: who they are, how they want things, addresses and tokens."""

import ipaddress
import re
from typing import Any, Final

from django import forms

from chargers.models import Site
from payments.models import Contract, OcpiConnection
from payments.ocpi.connections import LONGEST_TOKEN, default_party
from payments.outbound import Refused, check_form
from payments.receipts.languages import WORDS

ROLES: Final = [("PTP", "PTP: payment terminal provider"), ("OTHER", "OTHER"), ("EMSP", "EMSP")]
MOST_HOSTS: Final = 20
INVITE, CONNECT = "invite", "connect"
_HOST: Final = re.compile(
    r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
)
_PLAIN: Final = {"autocomplete": "off", "spellcheck": "false"}


def our_parties() -> list[tuple[str, str]]:
    """Return the parties that we may speak as, the default first, as choices of a form."""
    sites = Site.objects.order_by().values_list("country_code", "party_id").distinct()
    ours = dict.fromkeys([default_party(), *sorted(sites)])
    return [("*".join(party), " ".join(party)) for party in ours]


def party_of(choice: str) -> tuple[str, str]:
    """Return the party that a choice of `our_parties` means."""
    country_code, _, party_id = choice.partition("*")
    return country_code, party_id


class PeerUrlField(forms.CharField):
    """An address of a platform, as far as its form tells one that we would call."""

    def __init__(self, **options: Any) -> None:
        defaults: dict[str, Any] = {
            "widget": forms.TextInput(attrs={**_PLAIN, "inputmode": "url"}),
            "max_length": 500,
        }
        super().__init__(**(defaults | options))

    def clean(self, value: Any) -> str:
        """Return the address, or "". Raises ValidationError for what we would never call."""
        url: str = super().clean(value)
        if not url:
            return ""
        try:
            check_form(url)
        except Refused as refused:
            said = str(refused)
            raise forms.ValidationError(f"{said[:1].upper()}{said[1:]}.") from refused
        return url


class PartyField(forms.CharField):
    """A country code or party id: letters and digits of one length, kept in upper case; or nothing."""

    def __init__(self, length: int, **options: Any) -> None:
        self.length = length
        attrs = {"class": "short", "autocomplete": "off", "maxlength": str(length)}
        super().__init__(widget=forms.TextInput(attrs=attrs), **options)

    def clean(self, value: Any) -> str:
        """Return it in upper case. Raises ValidationError."""
        text: str = super().clean(value).upper()
        if not text:
            return ""
        letters = text.isalpha() if self.length == 2 else text.isalnum()
        if not (text.isascii() and letters and len(text) == self.length):
            what = "letters" if self.length == 2 else "letters or digits"
            raise forms.ValidationError(f"Exactly {self.length} {what}.")
        return text


class NewConnectionForm(forms.Form):
    """A platform that may connect to us."""

    name = forms.CharField(
        label="Name",
        max_length=100,
        help_text="How you call this PTP. One that speaks our own API already keeps its name.",
        widget=forms.TextInput(attrs=_PLAIN),
    )
    role = forms.ChoiceField(label="Their role", choices=ROLES)
    country_code = PartyField(2, label="Their country", required=False, help_text="e.g. NL")
    party_id = PartyField(
        3,
        label="Their party id",
        required=False,
        help_text="e.g. PAY. Empty: what they say in the handshake. Otherwise nobody else can register.",
    )
    our_party = forms.ChoiceField(label="We speak as", help_text="Contracts may add others later.")
    begin = forms.ChoiceField(
        label="Who begins the handshake",
        choices=[
            (INVITE, "They do: make a token A for them"),
            (CONNECT, "We do: they gave us their versions URL and a token A"),
        ],
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["our_party"].choices = our_parties()  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Take a whole party or none."""
        said = self.cleaned_data
        if (
            "country_code" in said
            and "party_id" in said
            and bool(said["country_code"]) != bool(said["party_id"])
        ):
            self.add_error("party_id", "Enter both, country and party id, or neither.")
        return said

    def clean_name(self) -> str:
        name = " ".join(self.cleaned_data["name"].split())
        if OcpiConnection.objects.filter(ptp__name=name).exists():
            raise forms.ValidationError("There is a connection of this name already.")
        return name


class SettingsForm(forms.ModelForm):
    """How this platform wants things; nothing that the handshake settles."""

    languages = forms.CharField(label="Languages of price texts", required=False)
    more_hosts = forms.CharField(
        label="More hosts for response_url",
        required=False,
        help_text="One a line; theirs of the versions URL is allowed anyway.",
        widget=forms.Textarea(attrs={**_PLAIN, "rows": "3", "class": "code"}),
    )
    release_signal = forms.ChoiceField(
        label="How they hear that nothing is charged",
        choices=[
            ("SESSION_INVALID", "The Session becomes INVALID"),
            ("ZERO_COST_CDR", "Also a CDR that costs nothing"),
        ],
    )
    invoice_creator = forms.ChoiceField(
        label="Who makes the receipt",
        choices=[("CPO", "We do; CDRs carry its number"), ("PTP", "They do; CDRs carry none")],
    )
    raw_tokens = forms.BooleanField(
        label="They want tokens without base64", required=False, help_text="Old platforms only."
    )

    class Meta:
        model = OcpiConnection
        fields = (
            "release_signal",
            "invoice_creator",
            "languages",
            "terminals_url",
            "confirmations_url",
            "more_hosts",
            "raw_tokens",
        )
        field_classes = {"terminals_url": PeerUrlField, "confirmations_url": PeerUrlField}
        labels = {"terminals_url": "Terminals URL", "confirmations_url": "Confirmations URL"}
        help_texts = {
            "terminals_url": "Empty: {payments}/terminals",
            "confirmations_url": "Empty: {payments}/financial-advice-confirmations",
        }

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        known = ", ".join(WORDS)
        self.fields["languages"].help_text = f"Of {known}; empty: all of them."
        self.initial["languages"] = ", ".join(self.instance.languages)
        self.initial["more_hosts"] = "\n".join(self.instance.more_hosts)

    def clean_languages(self) -> list[str]:
        words = re.split(r"[\s,;]+", self.cleaned_data["languages"].strip().lower())
        chosen = list(dict.fromkeys(word for word in words if word))
        unknown = [word for word in chosen if word not in WORDS]
        if unknown:
            raise forms.ValidationError(f"We have no texts in {unknown[0][:20]}.")
        return chosen

    def clean_more_hosts(self) -> list[str]:
        hosts = list(dict.fromkeys(self.cleaned_data["more_hosts"].lower().split()))
        if len(hosts) > MOST_HOSTS:
            raise forms.ValidationError(f"At most {MOST_HOSTS} hosts.")
        for host in hosts:
            if not _is_host(host):
                raise forms.ValidationError(f"“{host[:60]}” is not the name of a host, e.g. api.example.com.")
        return hosts


def _is_host(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return bool(_HOST.fullmatch(text))
    return True


class ContractForm(forms.Form):
    """A contract of the platform: terminals that name it sell for one of our parties."""

    customer_reference = forms.CharField(
        label="Customer reference", max_length=36, widget=forms.TextInput(attrs=_PLAIN)
    )
    party = forms.ChoiceField(label="They sell for")

    def __init__(self, *args: Any, connection: OcpiConnection, **options: Any) -> None:
        super().__init__(*args, **options)
        self.connection = connection
        self.fields["party"].choices = our_parties()  # type: ignore[attr-defined]

    def clean_customer_reference(self) -> str:
        reference = str(self.cleaned_data["customer_reference"])
        if Contract.objects.filter(connection=self.connection, customer_reference=reference).exists():
            raise forms.ValidationError("This reference has a contract already.")
        return reference


class TerminalContractForm(forms.Form):
    """Which contract of its platform a terminal belongs to."""

    contract = forms.ModelChoiceField(
        Contract.objects.none(), label="Contract", required=False, empty_label="None: our default party"
    )

    def __init__(self, *args: Any, connection: OcpiConnection, **options: Any) -> None:
        super().__init__(*args, **options)
        theirs = Contract.objects.filter(connection=connection).order_by("customer_reference")
        self.fields["contract"].queryset = theirs  # type: ignore[attr-defined]


class ActivationForm(forms.Form):
    """A terminal that the PTP knows and has not told us of."""

    reference = forms.CharField(
        label="Reference of the terminal",
        max_length=36,
        help_text="As the PTP names it to you, its serial number for example.",
        widget=forms.TextInput(attrs=_PLAIN),
    )
    customer_reference = forms.CharField(
        label="Customer reference", max_length=36, required=False, widget=forms.TextInput(attrs=_PLAIN)
    )


class HandshakeForm(forms.Form):
    """Where the platform's versions are, and the token that it gave us to begin with."""

    url = PeerUrlField(label="Their versions URL", help_text="It usually ends in /versions.")
    token = forms.CharField(
        label="Token A that they gave us",
        max_length=LONGEST_TOKEN,
        widget=forms.PasswordInput(attrs={**_PLAIN, "autocomplete": "off"}),
    )

    def clean_token(self) -> str:
        token = str(self.cleaned_data["token"])
        if not token.isascii() or not token.isprintable() or " " in token:
            raise forms.ValidationError("A token is made of printable ASCII characters, without spaces.")
        return token


class ReasonForm(forms.Form):
    """Why it is done, for those who read the journal later."""

    reason = forms.CharField(
        label="Why? It is kept in the journal with your name.",
        max_length=100,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
