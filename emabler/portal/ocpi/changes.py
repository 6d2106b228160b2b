"""What staff change themselves: settings, contracts, what a terminal sells. Each change leaves who made it.

What the handshake settles is changed by the handshake alone (acts.py).
"""

from collections.abc import Iterable
from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction

from chargers.models import EVSE, Site
from emabler.portal.ocpi.forms import SettingsForm, party_of
from payments.models import Contract, OcpiConnection, Terminal
from payments.ocpi.connections import Party, of_parties
from payments.ocpi.push.terminals import tell_assigned


def journal(record: Any, user: Any, what: str, *, created: bool = False) -> None:
    """Keep who did it, where the records show the row's history."""
    LogEntry.objects.create(
        user_id=user.pk,
        content_type=ContentType.objects.get_for_model(record),
        object_id=str(record.pk),
        object_repr=str(record)[:200],
        action_flag=ADDITION if created else CHANGE,
        change_message=what,
    )


@transaction.atomic
def save_settings(form: SettingsForm, *, user: Any) -> list[str]:
    """Store how the platform wants things; returns the names of what changed. The form is valid."""
    stored = OcpiConnection.objects.values(*form.fields).get(pk=form.instance.pk)
    changed = [name for name in form.fields if form.cleaned_data[name] != stored[name]]
    if changed:
        form.instance.save(update_fields=changed)
        labels = ", ".join(str(form.fields[name].label) for name in changed)
        journal(form.instance, user, f"Settings changed: {labels}.")
    return changed


@transaction.atomic
def add_contract(connection: OcpiConnection, reference: str, party: str, *, user: Any) -> None:
    """Let terminals that name this customer reference sell for one of our parties."""
    country_code, party_id = party_of(party)
    Contract.objects.create(
        connection=connection, customer_reference=reference, country_code=country_code, party_id=party_id
    )
    journal(connection, user, f"Contract {reference} added, for {party}.")


@transaction.atomic
def remove_contract(connection: OcpiConnection, contract_pk: int, *, user: Any) -> Contract:
    """Remove a contract; terminals that name it stay. Raises Contract.DoesNotExist."""
    contract = Contract.objects.select_for_update().get(pk=contract_pk, connection=connection)
    reference = contract.customer_reference
    contract.delete()
    journal(connection, user, f"Contract {reference} removed.")
    return contract


@transaction.atomic
def assign(
    terminal_pk: int,
    site_pks: Iterable[int],
    evse_pks: Iterable[int],
    *,
    of: Party,
    user: Any,
) -> int:
    """Let a terminal sell what stands at these sites and these EVSEs, of our party `of`. Returns how many."""
    terminal = Terminal.objects.select_for_update().get(pk=terminal_pk)
    sites = list(
        Site.objects.filter(of_parties(frozenset({of})), pk__in=site_pks).exclude(terminals=terminal)
    )
    sold = EVSE.objects.filter(of_parties(frozenset({of}), prefix="site__"), pk__in=evse_pks, removed=False)
    evses = list(sold.exclude(terminals=terminal).select_related("site"))
    terminal.sites.add(*sites)
    terminal.evses.add(*evses)
    return _changed(terminal, "Assigned to", [*map(str, sites), *map(_place, evses)], user)


@transaction.atomic
def unassign(terminal_pk: int, site_pks: Iterable[int], evse_pks: Iterable[int], *, user: Any) -> int:
    """Take sites and EVSEs from a terminal; running sessions go on. Returns how many."""
    terminal = Terminal.objects.select_for_update().get(pk=terminal_pk)
    sites = list(terminal.sites.filter(pk__in=site_pks))
    evses = list(terminal.evses.filter(pk__in=evse_pks).select_related("site"))
    terminal.sites.remove(*sites)
    terminal.evses.remove(*evses)
    return _changed(terminal, "Taken from", [*map(str, sites), *map(_place, evses)], user)


def _changed(terminal: Terminal, verb: str, names: list[str], user: Any) -> int:
    if names:
        listed = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
        journal(terminal, user, f"{verb} {listed}.")
    return len(names)


@transaction.atomic
def name_contract(terminal_pk: int, reference: str, *, user: Any) -> bool:
    """Let a terminal belong to a contract, or to none; returns whether that is news."""
    terminal = Terminal.objects.select_for_update().get(pk=terminal_pk)
    if terminal.customer_reference == reference:
        return False
    Terminal.objects.filter(pk=terminal_pk).update(customer_reference=reference)
    tell_assigned([terminal.pk])
    journal(terminal, user, f"Contract: {reference or 'none'}.")
    return True


def _place(evse: EVSE) -> str:
    return f"{evse.site} · {evse.label}"
