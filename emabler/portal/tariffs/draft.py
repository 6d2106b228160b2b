"""One request of the editor: what was written, as terms where it is sound, with each fault beside its field."""

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django import forms
from django.http import QueryDict

from emabler.network.document import read_bytes
from emabler.portal.tariffs.forms import (
    MAX_NOTES,
    MAX_RULES,
    JsonForm,
    NoteForm,
    RuleForm,
    SampleForm,
    TariffForm,
)
from emabler.portal.tariffs.shape import Filled, Identity, filled_from, shown, written
from payments.ocpi.tariffs import parse_tariff, tariff_document
from tariffs.engine.document import decimal_string
from tariffs.engine.errors import InputError, InvalidInput
from tariffs.engine.terms import Tariff

RARER = (
    "min_price_incl", "min_price_excl", "max_price_incl", "max_price_excl",
    "start_at", "end_at", "energy_step", "time_step", "parking_step", "alt_url",
)  # fmt: skip
FORM, JSON = "form", "json"
ROWS = {"rules": (RuleForm, MAX_RULES), "notes": (NoteForm, MAX_NOTES)}


@dataclass(frozen=True)
class Problem:
    """A fault in words, with the id of the input it belongs to."""

    field_id: str
    label: str
    message: str


@dataclass
class Draft:
    """The forms of the editor as they stand, and the terms they amount to."""

    mode: str
    main: TariffForm
    rules: list[RuleForm]
    notes: list[NoteForm]
    document: JsonForm
    sample: SampleForm
    terms: Tariff | None = None
    problems: list[Problem] = field(default_factory=list)

    def forms(self) -> list[tuple[str, forms.Form]]:
        """The forms in use, each with what its faults are said to be about."""
        if self.mode == JSON:
            return [("", self.document), ("Example", self.sample)]
        rules = [(f"Rule {number}", form) for number, form in enumerate(self.rules, 1)]
        notes = [(f"Note {number}", form) for number, form in enumerate(self.notes, 1)]
        return [("", self.main), *rules, *notes, ("Example", self.sample)]

    @property
    def more_open(self) -> bool:
        """Whether one of the rarer fields says something, so that it must not be hidden."""
        bound = [self.main[name] for name in RARER if name in self.main.fields]
        return any(each.errors or each.value() not in (None, "", "1", 1) for each in bound)


def opened(terms: Tariff, *, sample: dict[str, Any], mode: str = "") -> Draft:
    """Return the editor of a stored or suggested tariff, in OCPI JSON where the form cannot say all of it."""
    filled = filled_from(terms)
    mode = JSON if filled is None or mode == JSON else FORM
    values = filled or Filled({})
    return Draft(
        mode=mode,
        main=TariffForm(initial=shown(values.main, terms.currency)),
        rules=[
            RuleForm(initial=shown(r, terms.currency), prefix=f"rules-{n}")
            for n, r in enumerate(values.rules)
        ],
        notes=[NoteForm(initial=note, prefix=f"notes-{n}") for n, note in enumerate(values.notes)],
        document=JsonForm(initial={"document": json_text(terms)}),
        sample=SampleForm(initial=sample, prefix="sample"),
        terms=terms,
    )


def posted(data: QueryDict, *, identity: Identity, new: bool) -> Draft:
    """Return the editor as it was sent; `identity.id` counts for a tariff that exists already."""
    draft = Draft(
        mode=JSON if data.get("mode") == JSON else FORM,
        main=TariffForm(data),
        rules=[RuleForm(data, prefix=f"rules-{number}") for number in range(count(data, "rules"))],
        notes=[NoteForm(data, prefix=f"notes-{number}") for number in range(count(data, "notes"))],
        document=JsonForm(data),
        sample=SampleForm(data, prefix="sample"),
    )
    if not new:
        del draft.main.fields["tariff_id"]
    sound = all(_is_sound(form) for _, form in draft.forms() if form is not draft.sample)
    draft.sample.is_valid()
    if sound:
        read = _read_json if draft.mode == JSON else _read_form
        draft.terms = read(draft, identity, new)
    draft.problems = [problem for about, form in draft.forms() for problem in _problems(about, form)]
    return draft


def _is_sound(form: forms.Form) -> bool:
    """Whether prices can be read from it; a new tariff is priced before it has an id, and never saved so."""
    return set(form.errors) <= {"tariff_id"}


def count(data: QueryDict, prefix: str) -> int:
    """Return how many rows of that kind were sent, within bounds."""
    text = data.get(f"{prefix}-count", "")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0
    return min(number, ROWS[prefix][1])


def json_text(terms: Tariff) -> str:
    """Return the tariff as an indented OCPI 2.3.0 object, numbers written as they are."""
    return _json(tariff_document(terms), "")


def _json(value: Any, indent: str) -> str:
    """JSON with exact decimals, which the standard writer would turn into floats or text."""
    deeper = indent + "  "
    if isinstance(value, dict) and value:
        lines = [f"{deeper}{json.dumps(name)}: {_json(item, deeper)}" for name, item in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(deeper + _json(item, deeper) for item in value) + f"\n{indent}]"
    if isinstance(value, Decimal):
        return decimal_string(value)
    return json.dumps(value, ensure_ascii=False)


def _read_form(draft: Draft, identity: Identity, new: bool) -> Tariff | None:
    if new:
        tariff_id = draft.main.cleaned_data.get("tariff_id", identity.id)
        identity = Identity(identity.country_code, identity.party_id, tariff_id)
    rules = [form.cleaned_data for form in draft.rules]
    notes = [form.cleaned_data for form in draft.notes]
    result = written(identity, Filled(draft.main.cleaned_data, rules, notes))
    try:
        return parse_tariff(result.document)
    except InvalidInput as invalid:
        for error in invalid.errors:
            _blame(draft, result.field_of(error.path), error)
        return None


def _blame(draft: Draft, name: str, error: InputError) -> None:
    """Put a fault beside the field it came from."""
    prefix, number, key = (*name.split("-", 2), "", "")[:3]
    form: forms.Form = draft.main
    if prefix in ROWS and number.isdigit():
        form, name = (draft.rules if prefix == "rules" else draft.notes)[int(number)], key
    message = "Write at least one price; 0 is free." if error.path == "elements" else error.message
    form.add_error(name if name in form.fields else None, message)


def _read_json(draft: Draft, identity: Identity, new: bool) -> Tariff | None:
    try:
        text = draft.document.cleaned_data["document"]
        terms = parse_tariff(read_bytes(text.encode("utf-8", "surrogatepass")))
    except InvalidInput as invalid:
        for error in invalid.errors[:20]:
            draft.document.add_error("document", f"{error.path}: {error.message}".removeprefix(": "))
        return None
    said = Identity(terms.country_code, terms.party_id, terms.id)
    expected = Identity(identity.country_code, identity.party_id, terms.id if new else identity.id)
    if said != expected:
        which = f"country_code {expected.country_code}, party_id {expected.party_id}, id {expected.id}"
        draft.document.add_error("document", f"The identity stays: {which}.")
        return None
    return terms


def _problems(about: str, form: forms.Form) -> list[Problem]:
    found = []
    for name, messages in form.errors.items():
        bound = form[name] if name in form.fields else None
        label = ": ".join(part for part in (about, str(bound.label) if bound else "") if part)
        found += [Problem(bound.id_for_label if bound else "", label, str(message)) for message in messages]
    return found
