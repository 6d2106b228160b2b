"""The entries of a network file as values, faults collected with their paths.

Tariffs and locations are OCPI's and whole: what they leave out is empty. Stations, PTPs and terminals are
ours: a field that they leave out (`None`) keeps what is stored.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import urlsplit

from payments.models import OcpiConnection
from payments.ocpi.connections import LONGEST_TOKEN, Party
from payments.ocpi.credentials import PTP_ROLES
from payments.ocpi.locations import SiteEntry, read_location
from payments.ocpi.reading import Reader
from payments.ocpi.tariffs import parse_tariff
from tariffs.engine.errors import InputError, InvalidTariff
from tariffs.engine.terms import Tariff

SECTIONS: Final = {
    "tariffs": frozenset[str](),
    "locations": frozenset[str](),
    "stations": frozenset({"identity", "password", "location_id", "evse_uids"}),
    "ptps": frozenset({"name", "api_key", "webhook_url", "webhook_secret"}),
    "ocpi_parties": frozenset({"name", "country_code", "party_id", "role", "token_a"})
    | {"our_country_code", "our_party_id", "contracts", "release_signal", "invoice_creator", "languages"},
    "terminals": frozenset({"terminal_id", "ptp", "location_ids", "evse_uids", "languages"}),
}
MAX_ENTRIES: Final = 50_000  # per section
MAX_EVSES_PER_STATION: Final = 256
MAX_LANGUAGES: Final = 20
MAX_CONTRACTS: Final = 1_000  # of one platform
MAX_URL: Final = 500

# OCPP 1.6 security whitepaper §2.4 wants 16 to 40 bytes, and we generate those; a network that comes over
# may have chargers with shorter ones, which are taken and listed as a finding.
SHORTEST_PASSWORD: Final = 8
SHORTEST_GOOD_PASSWORD: Final = 16
LONGEST_PASSWORD: Final = 40
SHORTEST_KEY: Final = 16  # eight of them are shown to staff to tell keys apart
LONGEST_KEY: Final = 200

_IDENTITY: Final = re.compile(r"[A-Za-z0-9*\-_=+|@. ]+")  # as the OCPP door takes them
_PASSWORD: Final = re.compile(r"[ -~]+")
_KEY: Final = re.compile(r"[A-Za-z0-9\-._~+/]+=*")  # RFC 6750 §2.1, b64token
_TERMINAL_ID: Final = re.compile(r"[!-.0-~]+")  # a segment of a URL path
_TOKEN: Final = re.compile(r"[!-~]+")  # OCPI 2.3.0 credentials, token
_COUNTRY: Final = re.compile(r"[A-Za-z]{2}")
_PARTY_ID: Final = re.compile(r"[A-Za-z0-9]{3}")
_LANGUAGE: Final = re.compile(r"[a-z]{2}")

T_ = TypeVar("T_")


@dataclass(frozen=True, slots=True)
class TariffEntry:
    """A tariff; `terms` is None when it is faulty, its identity still counts for references."""

    country_code: str
    party_id: str
    tariff_id: str
    terms: Tariff | None


@dataclass(frozen=True, slots=True)
class StationEntry:
    """A charger; the order of `evse_uids` gives OCPP connector (1.6) or EVSE (2.x) numbers from 1."""

    identity: str
    password: str | None
    location_id: str
    evse_uids: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class PtpEntry:
    """A payment terminal provider."""

    name: str
    api_key: str | None
    webhook_url: str | None
    webhook_secret: str | None


@dataclass(frozen=True, slots=True)
class OcpiPartyEntry:
    """A payment terminal provider's platform over OCPI; `contracts` by customer reference."""

    name: str
    party: Party
    role: str
    token_a: str | None
    our_party: Party | None
    contracts: tuple[tuple[str, Party], ...] | None
    release_signal: str | None
    invoice_creator: str | None
    languages: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class TerminalEntry:
    """A terminal: sells the EVSEs of its locations, and its own."""

    terminal_id: str
    ptp: str
    location_ids: tuple[str, ...] | None
    evse_uids: tuple[str, ...] | None
    languages: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Network:
    """What a network file says; entries stand where they stand in the file."""

    tariffs: tuple[TariffEntry, ...] = ()
    sites: tuple[SiteEntry, ...] = ()
    stations: tuple[StationEntry, ...] = ()
    ptps: tuple[PtpEntry, ...] = ()
    ocpi_parties: tuple[OcpiPartyEntry, ...] = ()
    terminals: tuple[TerminalEntry, ...] = ()
    findings: tuple[InputError, ...] = ()


def read_network(document: object) -> tuple[Network, list[InputError]]:
    """Read a document; the network counts only when there is no error."""
    reader = Reader(document, "")
    findings = list(_unknown(reader, frozenset(SECTIONS)))
    network = Network(
        tariffs=tuple(_tariff(item, reader.errors) for item in _items(reader, "tariffs", findings)),
        sites=tuple(read_location(item) for item in _items(reader, "locations", findings)),
        stations=tuple(_station(item, findings) for item in _items(reader, "stations", findings)),
        ptps=tuple(_ptp(item) for item in _items(reader, "ptps", findings)),
        ocpi_parties=tuple(_ocpi_party(item, findings) for item in _items(reader, "ocpi_parties", findings)),
        terminals=tuple(_terminal(item) for item in _items(reader, "terminals", findings)),
        findings=tuple(findings),
    )
    return network, reader.errors


def _items(reader: Reader, section: str, findings: list[InputError]) -> Iterator[Reader]:
    for item in reader.items(section, most=MAX_ENTRIES):
        if SECTIONS[section]:
            findings += _unknown(item, SECTIONS[section])
        yield item


def _unknown(reader: Reader, known: frozenset[str]) -> Iterator[InputError]:
    """A misspelt field is not refused (later versions may know it), but it is said."""
    for name in reader.fields:
        if name not in known:
            yield InputError(
                reader.at(name[:60]), "unknown_field", "This field is not known and was ignored."
            )


def _tariff(item: Reader, errors: list[InputError]) -> TariffEntry:
    terms = None
    is_object = not any(error.path == item.path for error in errors)
    try:
        terms = parse_tariff(item.fields, path=item.path) if is_object else None
    except InvalidTariff as invalid:
        errors += invalid.errors
    return TariffEntry(
        country_code=_raw(item, "country_code"),
        party_id=_raw(item, "party_id"),
        tariff_id=_raw(item, "id"),
        terms=terms,
    )


def _raw(item: Reader, name: str) -> str:
    value = item.fields.get(name)
    return value if isinstance(value, str) else ""


def _station(item: Reader, findings: list[InputError]) -> StationEntry:
    identity = _required(item, "identity", _IDENTITY, longest=48)
    password = _secret(item, "password", _PASSWORD, shortest=SHORTEST_PASSWORD, longest=LONGEST_PASSWORD)
    if password and len(password) < SHORTEST_GOOD_PASSWORD:
        message = f"Under {SHORTEST_GOOD_PASSWORD} characters; change it when the charger allows."
        findings.append(InputError(item.at("password"), "short_password", message))
    return StationEntry(
        identity=identity,
        password=password,
        location_id=item.text("location_id", longest=36, required=True) or "",
        evse_uids=_texts(item, "evse_uids", longest=36, most=MAX_EVSES_PER_STATION),
    )


def _ptp(item: Reader) -> PtpEntry:
    return PtpEntry(
        name=item.text("name", longest=100, required=True) or "",
        api_key=_secret(item, "api_key", _KEY, shortest=SHORTEST_KEY, longest=LONGEST_KEY),
        webhook_url=_webhook_url(item),
        webhook_secret=_secret(item, "webhook_secret", _PASSWORD, shortest=SHORTEST_KEY, longest=LONGEST_KEY),
    )


def _ocpi_party(item: Reader, findings: list[InputError]) -> OcpiPartyEntry:
    role = item.text("role", longest=20) or "PTP"
    if role not in PTP_ROLES:
        item.fault("role", "invalid", f"One of {', '.join(PTP_ROLES)}.")
    ours = any(item.fields.get(name) is not None for name in ("our_country_code", "our_party_id"))
    signal = item.choice("release_signal", OcpiConnection.ReleaseSignal)
    creator = item.choice("invoice_creator", OcpiConnection.InvoiceCreator)
    given = item.fields.get("contracts") is not None
    contracts = tuple(_contract(part, findings) for part in item.items("contracts", most=MAX_CONTRACTS))
    return OcpiPartyEntry(
        name=item.text("name", longest=100, required=True) or "",
        party=_party(item),
        role=role,
        token_a=_secret(item, "token_a", _TOKEN, shortest=SHORTEST_KEY, longest=LONGEST_TOKEN),
        our_party=_party(item, "our_") if ours else None,
        contracts=contracts if given else None,
        release_signal=signal.value if signal else None,
        invoice_creator=creator.value if creator else None,
        languages=_languages(item),
    )


def _contract(item: Reader, findings: list[InputError]) -> tuple[str, Party]:
    findings += _unknown(item, frozenset({"customer_reference", "country_code", "party_id"}))
    return item.text("customer_reference", longest=36, required=True) or "", _party(item)


def _party(item: Reader, prefix: str = "") -> Party:
    """Country code and party id, which are CiStrings: in capitals."""
    country_code = _required(item, f"{prefix}country_code", _COUNTRY, longest=2)
    return country_code.upper(), _required(item, f"{prefix}party_id", _PARTY_ID, longest=3).upper()


def _terminal(item: Reader) -> TerminalEntry:
    return TerminalEntry(
        terminal_id=_required(item, "terminal_id", _TERMINAL_ID, longest=36),
        ptp=item.text("ptp", longest=100, required=True) or "",
        location_ids=_texts(item, "location_ids", longest=36, most=MAX_ENTRIES),
        evse_uids=_texts(item, "evse_uids", longest=36, most=MAX_ENTRIES),
        languages=_languages(item),
    )


def _languages(item: Reader) -> tuple[str, ...] | None:
    languages = _texts(item, "languages", longest=2, most=MAX_LANGUAGES)
    for number, language in enumerate(languages or ()):
        if language and not _LANGUAGE.fullmatch(language):
            item.fault(f"languages[{number}]", "invalid", "An ISO 639-1 code is expected, as in fi.")
        elif language and language in (languages or ())[:number]:
            item.fault(f"languages[{number}]", "duplicate", "The language is named twice.")
    return languages


def _texts(item: Reader, name: str, *, longest: int, most: int) -> tuple[str, ...] | None:
    return None if item.fields.get(name) is None else item.texts(name, longest=longest, most=most)


def _required(item: Reader, name: str, pattern: re.Pattern[str], *, longest: int) -> str:
    value = item.text(name, longest=longest, required=True)
    if value and (not pattern.fullmatch(value) or value != value.strip()):
        item.fault(name, "invalid", "A letter is not allowed here.")
        return ""
    return value or ""


def _secret(item: Reader, name: str, pattern: re.Pattern[str], *, shortest: int, longest: int) -> str | None:
    """The text is never repeated in a message: messages go to logs."""
    value = item.value(name)
    if value is None:
        return None
    if not isinstance(value, str) or not pattern.fullmatch(value):
        item.fault(name, "invalid", "Text of printable ASCII characters is expected.")
    elif not shortest <= len(value) <= longest:
        code = "too_short" if len(value) < shortest else "too_large"
        item.fault(name, code, f"From {shortest} to {longest} characters.")
    else:
        return value
    return None


def _webhook_url(item: Reader) -> str | None:
    url = item.text("webhook_url", longest=MAX_URL)
    if url and not is_webhook_url(url):
        item.fault("webhook_url", "invalid", "An https URL is expected (http only for this machine itself).")
    return url


def is_webhook_url(url: str) -> bool:
    """Whether we may post what drivers pay to this URL."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if (
        not host
        or port == 0
        or parts.username is not None
        or parts.fragment
        or not url.isascii()
        or " " in url
    ):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
