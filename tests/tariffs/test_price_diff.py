"""The engine against a second pricer that was written separately and slowly (see `slow_pricer`)."""

import re
from collections import Counter

import pytest
from hypothesis import given, settings

from tariffs.engine.cost import LineKind
from tariffs.engine.pricing import price
from tariffs.engine.terms import PriceComponent, Restrictions, Tariff
from tariffs.engine.usage import SegmentState, Usage

from . import price_diff
from .price_diff import breaks_of, differences
from .random_cases import CLOCK_CHANGES, random_case
from .slow_pricer import slow_price
from .strategies import tariffs, usages


@settings(max_examples=150)
@given(tariffs(), usages())
def test_two_pricers_agree_on_any_tariff_and_session(terms: Tariff, usage: Usage) -> None:
    assert differences(price(terms, usage), slow_price(terms, usage)) == []


def test_a_wrong_pricer_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The campaign can fail: a tenth of a percent off is seen."""

    def dearer(terms: Tariff, usage: Usage) -> object:
        cost = price(terms, usage)
        return cost.__class__(
            cost.currency, cost.lines, cost.total_excl * 1001 / 1000, cost.total_incl, cost.taxes_unknown
        )

    monkeypatch.setattr(price_diff, "price", dearer)

    assert sum(bool(breaks_of(seed)[1]) for seed in range(50)) > 20


def test_a_campaign_says_one_line_and_fails_with_the_seed_of_its_break(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert price_diff.main(["--runs", "60", "--seed", "5"]) == 0
    assert re.fullmatch(r"price-diff \| 60 \| 0 \| 5 \| [0-9.]+\n", capsys.readouterr().out)

    # Worker processes are forked and see the patch.
    monkeypatch.setattr(price_diff, "differences", lambda _cost, _bill: ["broken on purpose"])

    assert price_diff.main(["--runs", "2", "--seed", "5"]) == 1
    told = capsys.readouterr()
    assert told.out.startswith("price-diff | 2 | 2 | 5 | ")
    assert "seed 5: broken on purpose" in told.err


def test_the_cases_reach_what_is_hard() -> None:
    seen: Counter[str] = Counter()

    for seed in range(1_500):
        seen.update(_features(*random_case(seed)))

    rare = {name: seen[name] for name in FEATURES if seen[name] < 15}
    assert rare == {}


RESTRICTIONS = tuple(name for name in Restrictions.__dataclass_fields__ if name != "reservation")
FEATURES = (
    *RESTRICTIONS,
    "reservation",
    "wrap over midnight",
    "clock change",
    "large step",
    "step 0",
    "two rates",
    "adjustment",
    "parked",
    "charging after parking",
    "no energy",
    "instant",
    "several prices",
    "JPY",
    "KWD",
    "YES",
    "NO",
    "N/A",
)


def _features(terms: Tariff, usage: Usage) -> set[str]:
    rules = [element.restrictions for element in terms.elements]
    components = [component for _, component in terms.session_components()]
    lines = price(terms, usage).lines
    states = [segment.state for segment in usage.segments]
    found = {name for rule in rules for name in RESTRICTIONS if getattr(rule, name) not in (None, ())}
    found |= {terms.currency, terms.tax_included.value, *_component_features(components)}
    checks = {
        "reservation": any(rule.reservation for rule in rules),
        "wrap over midnight": any(r.start_time and r.end_time and r.start_time > r.end_time for r in rules),
        "clock change": _clock_changes(usage),
        "adjustment": any(line.dimension is LineKind.ADJUSTMENT for line in lines),
        "parked": SegmentState.PARKED in states,
        "charging after parking": [SegmentState.PARKED, SegmentState.CHARGING]
        in [states[n : n + 2] for n in range(len(states))],
        "no energy": not any(segment.energy_wh for segment in usage.segments),
        "instant": any(s.start_at == s.end_at and s.energy_wh for s in usage.segments),
        "several prices": max(Counter(line.dimension for line in lines).values(), default=0) > 1,
    }
    return found | {name for name, holds in checks.items() if holds}


def _component_features(components: list[PriceComponent]) -> set[str]:
    steps = {component.step_size for component in components}
    checks = {
        "large step": max(steps, default=0) > 1,
        "step 0": 0 in steps,
        "two rates": len({component.vat for component in components}) > 1,
    }
    return {name for name, holds in checks.items() if holds}


def _clock_changes(usage: Usage) -> bool:
    last = usage.segments[-1].end_at
    return any(zone == usage.time_zone and usage.begins_at < at < last for zone, at in CLOCK_CHANGES)
