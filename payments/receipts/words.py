"""Every word that the driver's page and the receipt say; one value of `Words` per language.

A dataclass and not gettext: no compile step, and a language that lacks a phrase fails the type check.
`{}` takes a value that is already written out in the language's own format.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Phrases of one language."""

    # --- how the language writes numbers and moments
    decimal_point: str
    moment: str  # strftime
    clock: str  # strftime
    # --- headline and explanation per phase of a session (keys: page.Phase)
    headlines: Mapping[str, str]
    explanations: Mapping[str, str]
    # --- why it stopped (keys: StopReason) and why it never started (keys: page.refusal_key)
    stop_reasons: Mapping[str, str]
    refusals: Mapping[str, str]
    # --- what becomes of the money (keys: PaymentState); {amount} {held} {open} {refunding} {refunded}
    money: Mapping[str, str]
    bank_delay: str
    # --- live facts
    session: str
    energy: str
    cost_so_far: str
    cost: str
    power: str
    duration: str
    battery: str
    held: str
    held_note: str
    used_of_held: str
    used_up: str
    plug_in_until: str
    stale: str
    updated: str
    how_to_stop: str
    price: str
    # --- receipt
    receipt: str
    number: str
    issued: str
    seller: str
    vat_id: str
    place: str
    charger: str
    started: str
    ended: str
    stopped_because: str
    meter: str
    description: str
    rate: str
    net: str
    vat: str
    gross: str
    total: str
    no_rate: str
    net_price: str
    gross_price: str
    lines: Mapping[str, str]  # keys: tariffs.engine.cost.LineKind, and REFUND of a credit
    payment: str
    card: str
    terminal: str
    reference: str
    charged: str
    released: str
    still_open: str
    refunded: str
    refund_due: str
    card_details: str
    page: str
    download: str
    # --- credit note
    credit_note: str
    credit_notes: str
    corrects: str
    reason: str
    goes_back: str
    download_credit_note: str
    back_to_receipt: str
    # --- around it
    questions: str
    language: str
    lost: str
    not_found: str
    not_found_text: str
    no_receipt: str
    no_receipt_text: str
    back: str
    too_many: str
    too_many_text: str
    # --- a receipt asked for by the reference that stands on the terminal's slip
    find_receipt: str
    find_receipt_text: str
    find_receipt_field: str
    find_receipt_button: str
    find_receipt_wrong: str
