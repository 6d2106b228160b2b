"""A filled form as an OCPI tariff, and a tariff as a filled form, where the form can say all of it."""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

from payments.ocpi.tariffs import parse_tariff, utc_text
from tariffs.engine.document import decimal_string
from tariffs.engine.errors import InvalidTariff
from tariffs.engine.money import minor_digits, round_half_up
from tariffs.engine.terms import Dimension, PriceComponent, PriceLimit, Restrictions, Tariff, TariffElement

Values = dict[str, Any]
_KINDS = {
    Dimension.ENERGY: ("energy_price", "energy_step"),
    Dimension.TIME: ("time_price", "time_step"),
    Dimension.PARKING_TIME: ("parking_price", "parking_step"),
    Dimension.FLAT: ("session_fee", ""),
}
_AMOUNTS = {name for name, _ in _KINDS.values()} | {"preauthorize_amount"}
_AMOUNTS |= {f"{limit}_price_{side}" for limit in ("min", "max") for side in ("incl", "excl")}
_PER_TIME = (Dimension.TIME, Dimension.PARKING_TIME)
_ORDER = tuple(_KINDS)
_UNRESTRICTED = Restrictions()
_SIX_DECIMALS = Decimal("0.000001")
# Restrictions of a rule that the form writes as OCPI does; times, days and minutes have their own words.
_NUMBERS = {
    "min_kwh": "min_kwh",
    "max_kwh": "max_kwh",
    "min_power": "min_power_kw",
    "max_power": "max_power_kw",
}


@dataclass(frozen=True)
class Identity:
    """Under which OCPI identity the tariff stands."""

    country_code: str
    party_id: str
    id: str


@dataclass(frozen=True)
class Filled:
    """Values of the editor's forms."""

    main: Values
    rules: list[Values] = field(default_factory=list)
    notes: list[Values] = field(default_factory=list)


@dataclass
class Written:
    """An OCPI Tariff object and, per path in it, the form field it came from."""

    document: Values
    fields: dict[str, str]

    def field_of(self, path: str) -> str:
        """Return the field to blame for a fault at that path, empty where none is."""
        while path and path not in self.fields:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.fields.get(path, "")


def written(identity: Identity, filled: Filled) -> Written:
    """Return what the forms say as an OCPI Tariff: rules in their order, then the prices that hold otherwise."""
    main, fields = filled.main, {name: name for name in ("type", "currency", "tax_included")}
    fields |= {"preauthorize_amount": "preauthorize_amount", "tariff_alt_url": "alt_url", "id": "tariff_id"}
    fields |= {"elements": "energy_price", "min_price": "min_price_incl", "max_price": "max_price_incl"}
    elements: list[Values] = []
    for number, rule in enumerate(filled.rules):
        _add_element(elements, fields, main, rule, _restrictions(rule), prefix=f"rules-{number}-")
    after = main.get("parking_after")
    base = {kind: main.get(kind) for kind, _ in _KINDS.values()}
    late = {"parking_price": base.pop("parking_price")} if after else {}
    _add_element(elements, fields, main, base, {}, prefix="")
    _add_element(elements, fields, main, late, {"min_duration": (after or 0) * 60}, prefix="")
    for number in range(len(filled.notes)):
        fields[f"tariff_alt_text[{number}]"] = f"notes-{number}-text"
    document = {
        "country_code": identity.country_code,
        "party_id": identity.party_id,
        "id": identity.id,
        "currency": main["currency"],
        "type": main["type"] or None,
        "tax_included": main["tax_included"],
        "min_price": _limit(main, "min_price"),
        "max_price": _limit(main, "max_price"),
        "preauthorize_amount": main.get("preauthorize_amount"),
        "start_date_time": utc_text(main.get("start_at")),
        "end_date_time": utc_text(main.get("end_at")),
        "tariff_alt_url": main.get("alt_url") or None,
        "tariff_alt_text": [dict(note) for note in filled.notes],
        "elements": elements,
    }
    return Written({name: value for name, value in document.items() if value is not None}, fields)


def _add_element(
    elements: list[Values],
    fields: dict[str, str],
    main: Values,
    prices: Values,
    restrictions: Values,
    *,
    prefix: str,
) -> None:
    components: list[Values] = []
    for dimension, (kind, step) in _KINDS.items():
        price = prices.get(kind)
        if price is not None:
            path = f"elements[{len(elements)}].price_components[{len(components)}]"
            fields |= {path: prefix + kind, f"{path}.vat": "vat", f"{path}.step_size": step}
            components.append(_component(main, dimension, price, main.get(step)))
    if components:
        fields[f"elements[{len(elements)}]"] = f"{prefix}energy_price"
        element: Values = {"price_components": components}
        elements.append(element | ({"restrictions": restrictions} if restrictions else {}))


def _component(main: Values, dimension: Dimension, price: Decimal, step_size: int | None) -> Values:
    per_minute = dimension in _PER_TIME and main["time_unit"] == "min"
    component: Values = {"type": dimension.value, "price": price * 60 if per_minute else price}
    if main.get("vat") is not None:
        component["vat"] = main["vat"]
    return component | {"step_size": 1 if step_size is None else step_size}


def _restrictions(rule: Values) -> Values:
    restrictions: Values = {name: rule.get(key) for name, key in _NUMBERS.items()}
    for name in ("start_time", "end_time"):
        restrictions[name] = f"{rule[name]:%H:%M}" if rule.get(name) is not None else None
    for name, key in (("min_duration", "min_minutes"), ("max_duration", "max_minutes")):
        restrictions[name] = None if rule.get(key) is None else rule[key] * 60
    restrictions["day_of_week"] = rule.get("days") or None
    return {name: value for name, value in restrictions.items() if value is not None}


def _limit(main: Values, name: str) -> Values | None:
    """Both sides as written; a missing side before VAT follows from the one with VAT, to four decimals."""
    incl, excl = main.get(f"{name}_incl"), main.get(f"{name}_excl")
    if incl is None:
        return None if excl is None else {"before_taxes": excl}
    if excl is None and main["tax_included"] == "N/A":
        return {"before_taxes": incl}
    if excl is None:
        rate = 1 + Fraction(main.get("vat") or 0) / 100
        excl = Decimal(round_half_up(Fraction(incl) / rate * 10_000)).scaleb(-4)
    return {"before_taxes": excl, "after_taxes": incl}


def filled_from(terms: Tariff) -> Filled | None:
    """Return the forms that say the same as the tariff; None where they cannot."""
    *rules, base, late = _split(terms)
    main = _main_values(terms, base, late)
    filled = Filled(
        main,
        [_rule_values(element, main["time_unit"]) for element in rules if element is not None],
        [{"language": alt.language, "text": alt.text} for alt in terms.alt_texts],
    )
    identity = Identity(terms.country_code, terms.party_id, terms.id)
    try:
        again = parse_tariff(written(identity, filled).document)
    except (InvalidTariff, TypeError):
        return None
    return filled if same_meaning(again, terms) else None


def same_meaning(one: Tariff, other: Tariff) -> bool:
    """Whether two tariffs differ at most in the order of components and in when they were written."""
    return _plain(one) == _plain(other)


def _plain(terms: Tariff) -> Tariff:
    elements = tuple(
        replace(
            element,
            price_components=tuple(
                sorted(
                    (
                        replace(c, step_size=1) if c.type is Dimension.FLAT else c
                        for c in element.price_components
                    ),
                    key=lambda c: _ORDER.index(c.type),
                )
            ),
        )
        for element in terms.elements
    )
    return replace(terms, elements=elements, last_updated_at=None)


def _split(terms: Tariff) -> list[TariffElement | None]:
    """Rules, then the element without restrictions, then the occupancy fee after some minutes; None if absent."""
    elements: list[TariffElement | None] = list(terms.elements)
    last = terms.elements[-1]
    if last.restrictions == _UNRESTRICTED:
        return [*elements, None]
    earlier = terms.elements[-2] if len(elements) > 1 else None
    if earlier is not None and _is_without_parking(earlier) and _is_late_parking(last):
        return elements
    return [*elements, None, None]


def _is_without_parking(element: TariffElement) -> bool:
    return element.restrictions == _UNRESTRICTED and all(
        component.type is not Dimension.PARKING_TIME for component in element.price_components
    )


def _is_late_parking(element: TariffElement) -> bool:
    seconds = element.restrictions.min_duration_seconds
    return (
        bool(seconds)
        and element.restrictions == Restrictions(min_duration_seconds=seconds)
        and [component.type for component in element.price_components] == [Dimension.PARKING_TIME]
    )


def _main_values(terms: Tariff, base: TariffElement | None, late: TariffElement | None) -> Values:
    components = [component for element in terms.elements for component in element.price_components]
    time_unit = "min" if all(_per_minute(c) is not None for c in components if c.type in _PER_TIME) else "h"
    steps = {_KINDS[c.type][1]: c.step_size for c in reversed(components) if _KINDS[c.type][1]}
    values: Values = {
        "tariff_id": terms.id,
        "type": terms.type.value if terms.type else "",
        "currency": terms.currency,
        "tax_included": terms.tax_included.value,
        "vat": components[0].vat,
        "time_unit": time_unit,
        "energy_step": 1,
        "time_step": 1,
        "parking_step": 1,
        "preauthorize_amount": terms.preauthorize_amount,
        "start_at": terms.start_at,
        "end_at": terms.end_at,
        "alt_url": terms.alt_url,
    }
    values |= (
        steps | _limit_values(terms.min_price, "min_price") | _limit_values(terms.max_price, "max_price")
    )
    for element in (base, late):
        values |= _price_values(element, time_unit) if element else {}
    if late is not None:
        values["parking_after"] = _minutes(late.restrictions.min_duration_seconds)
    return values


def _limit_values(limit: PriceLimit | None, name: str) -> Values:
    if limit is None:
        return {}
    return {f"{name}_excl": limit.before_taxes, f"{name}_incl": limit.after_taxes}


def _rule_values(element: TariffElement, time_unit: str) -> Values:
    limits = element.restrictions
    return _price_values(element, time_unit) | {
        "days": [day.name for day in limits.day_of_week],
        "start_time": limits.start_time,
        "end_time": limits.end_time,
        "min_kwh": limits.min_kwh,
        "max_kwh": limits.max_kwh,
        "min_minutes": _minutes(limits.min_duration_seconds),
        "max_minutes": _minutes(limits.max_duration_seconds),
        "min_power_kw": limits.min_power_kw,
        "max_power_kw": limits.max_power_kw,
    }


def _price_values(element: TariffElement, time_unit: str) -> Values:
    """The first component of each kind, which is the one that counts."""
    values: Values = {}
    for component in reversed(element.price_components):
        per_minute = component.type in _PER_TIME and time_unit == "min"
        values[_KINDS[component.type][0]] = _per_minute(component) if per_minute else component.price
    return values


def _per_minute(component: PriceComponent) -> Decimal | None:
    """The price of a minute, None where it has more than six decimals."""
    per_minute = (component.price / 60).quantize(_SIX_DECIMALS)
    return per_minute if per_minute * 60 == component.price else None


def _minutes(seconds: int | None) -> int | None:
    return None if seconds is None or seconds % 60 else seconds // 60


def shown(values: Values, currency: str) -> Values:
    """Return the values as the form's inputs show them; amounts with at least the currency's digits."""
    return {
        name: _decimal(value, minor_digits(currency) if name in _AMOUNTS else 0)
        if isinstance(value, Decimal)
        else value
        for name, value in values.items()
    }


def _decimal(value: Decimal, digits: int) -> str:
    whole, _, fraction = decimal_string(value).partition(".")
    fraction = fraction.ljust(digits, "0")
    return f"{whole}.{fraction}" if fraction else whole
