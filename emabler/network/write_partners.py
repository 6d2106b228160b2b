"""Write a checked file's payment terminal providers and their terminals."""

from __future__ import annotations

import secrets

from cryptography.fernet import InvalidToken

from chargers.models import EVSE, Site
from emabler.network.checks import Merged
from emabler.network.entries import Network, PtpEntry, TerminalEntry
from emabler.network.stored import in_chunks, key_of
from payments.keys import find_key, new_key, revoke_keys, store_key
from payments.models import Ptp, Terminal
from payments.sealed import seal, unseal

Secret = dict[str, str]
WEBHOOK_SECRET_BYTES = 32


def write_ptps(network: Network) -> list[Secret]:
    """Save the file's PTPs; returns the secrets that were generated, to be shown once."""
    return [secret for entry in network.ptps if (secret := _write_ptp(entry))]


def _write_ptp(entry: PtpEntry) -> Secret | None:
    ptp = Ptp.objects.filter(name=entry.name).first()
    generated: Secret = {}
    api_key, webhook_secret = entry.api_key, entry.webhook_secret
    if ptp is None:
        ptp = Ptp(name=entry.name)
        api_key = api_key or generated.setdefault("api_key", new_key())
    if webhook_secret is None and not ptp.webhook_secret_sealed:
        webhook_secret = generated.setdefault("webhook_secret", secrets.token_urlsafe(WEBHOOK_SECRET_BYTES))
    _save(ptp, webhook_url=entry.webhook_url, webhook_secret=webhook_secret)
    if api_key is not None:
        _let_in(ptp, api_key)
    return {"secret": "ptp", "name": entry.name, **generated} if generated else None


def _save(ptp: Ptp, *, webhook_url: str | None, webhook_secret: str | None) -> None:
    changed = ptp.pk is None
    if webhook_url is not None and webhook_url != ptp.webhook_url:
        ptp.webhook_url, changed = webhook_url, True
    if webhook_secret is not None and webhook_secret != _webhook_secret(ptp):
        ptp.webhook_secret_sealed, changed = seal(webhook_secret), True
    if changed:
        ptp.save()


def _webhook_secret(ptp: Ptp) -> str | None:
    try:
        return unseal(ptp.webhook_secret_sealed) if ptp.webhook_secret_sealed else None
    except InvalidToken:  # sealed under a key that is gone: any secret is a new one
        return None


def _let_in(ptp: Ptp, api_key: str) -> None:
    """A new key replaces the PTP's others (not those limited to one terminal); a known one changes nothing."""
    if find_key(api_key) is None:
        store_key(ptp, api_key)
        revoke_keys(ptp, except_key=api_key)


def write_terminals(network: Network, merged: Merged) -> None:
    """Save the file's terminals and what they may sell."""
    sites = {key_of(site): site.pk for site in Site.objects.all()}
    uids = [uid for entry in network.terminals for uid in entry.evse_uids or ()]
    evses = {evse.uid: evse.pk for evse in in_chunks(EVSE.objects.all(), "uid", uids)}
    ptps = {ptp.name: ptp for ptp in Ptp.objects.all()}
    for entry in network.terminals:
        terminal = _write_terminal(entry, ptps[entry.ptp])
        if entry.location_ids is not None:
            keys = [key for name in entry.location_ids if (key := merged.site_of(name)) is not None]
            terminal.sites.set([sites[key] for key in keys])
        if entry.evse_uids is not None:
            terminal.evses.set([evses[uid] for uid in entry.evse_uids])


def _write_terminal(entry: TerminalEntry, ptp: Ptp) -> Terminal:
    languages = list(entry.languages or ())
    terminal, created = Terminal.objects.get_or_create(
        ptp=ptp, terminal_id=entry.terminal_id, defaults={"languages": languages}
    )
    if not created and entry.languages is not None and terminal.languages != languages:
        terminal.languages = languages
        terminal.save(update_fields=["languages"])
    return terminal
