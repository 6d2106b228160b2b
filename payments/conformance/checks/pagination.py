"""Pages (OCPI transport_and_format, Pagination)."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from payments.conformance.bench import Bench
from payments.conformance.exchanges import Exchange
from payments.conformance.expectations import accepted_list, came, never_a_crash, refused
from payments.conformance.registry import check
from payments.conformance.rules.language import moment_problem
from payments.conformance.verdicts import Broken, Level, Untried, expect, expect_none
from payments.simulator.ocpi.wire import parse_time

REQUEST: Final = "transport_and_format, Paginated Request"
RESPONSE: Final = "transport_and_format, Paginated Response"
LISTS: Final = ("locations", "tariffs", "sessions", "cdrs")
STEADY: Final = ("tariffs", "cdrs", "locations", "sessions")  # what changes least first
FAR_FUTURE: Final = "2999-01-01T00:00:00Z"


def _count(answer: Exchange, name: str) -> int:
    value = answer.header(name)
    if value is None or not value.isdigit():
        raise Broken(f"expected: {name} with a number; came: {value}", answer)
    return int(value)


def _ids(items: list[Any]) -> list[str]:
    return [str(item.get("id")) if isinstance(item, dict) else "?" for item in items]


def _listing(bench: Bench, least: int, among: tuple[str, ...] = LISTS) -> str:
    """The list with the most objects. Raises Untried where none has enough."""
    lengths = {module: len(bench.everything(module)) for module in among}
    best = max(lengths, key=lambda module: lengths[module])
    if lengths[best] < least:
        raise Untried(f"No list has {least} objects: {lengths}")
    return best


@check("pagination-01", "Every list tells X-Total-Count", section=RESPONSE)
def lists_tell_their_total(bench: Bench) -> None:
    """How many objects match, whatever limit and offset."""
    for module in LISTS:
        whole, short = bench.page(module), bench.page(module, limit=1)
        total = _count(whole, "X-Total-Count")
        told = f"{module}: expected: {total} for limit=1 too; came: {short.header('X-Total-Count')}"
        expect(_count(short, "X-Total-Count") == total, told, short)


@check("pagination-02", "Every list tells X-Limit", section=RESPONSE)
def lists_tell_their_limit(bench: Bench) -> None:
    """The most that the server gives at once."""
    for module in LISTS:
        answer = bench.page(module)
        expect(_count(answer, "X-Limit") >= 1, f"{module}: expected: at least 1; {came(answer)}", answer)


@check("pagination-03", "X-Limit is the server's limit, not the number of objects", section=RESPONSE)
def limit_is_not_a_count(bench: Bench) -> None:
    """An empty page tells the same limit as a full one."""
    for module in ("locations", "tariffs"):
        full, empty = bench.page(module), bench.page(module, offset=1_000_000)
        told = f"{module}: expected: X-Limit {full.header('X-Limit')}; came: {empty.header('X-Limit')}"
        expect(_count(full, "X-Limit") == _count(empty, "X-Limit"), told, empty)


@check("pagination-04", "limit=1 gives one object", section=REQUEST)
def limit_is_honoured(bench: Bench) -> None:
    """The maximum number of objects to GET."""
    module = _listing(bench, 1)
    answer = bench.page(module, limit=1)
    found = accepted_list(answer, f"a page of {module}")
    expect(len(found) == 1, f"expected: one object; came: {len(found)}", answer)


@check("pagination-05", "A page that is not the last links to the next", section=RESPONSE)
def pages_link_to_the_next(bench: Bench) -> None:
    """Link: <…>; rel="next", absolute and at the same host."""
    module = _listing(bench, 2)
    answer = bench.page(module, limit=1)
    url = answer.answer.next_url
    expect(url, f'expected: Link with rel="next"; came: {answer.header("link")}', answer)
    told = f"expected: an absolute URL at the same host; came: {url}"
    expect(urlsplit(url)[:2] == urlsplit(answer.url)[:2], told, answer)


@check("pagination-06", "The link keeps the filters", section=RESPONSE)
def links_keep_filters(bench: Bench) -> None:
    """The Link should also contain any filters present in the original request."""
    module = _listing(bench, 2)
    filters = {"date_from": "2001-02-03T04:05:06Z", "date_to": "2998-01-01T00:00:00Z"}
    answer = bench.page(module, limit=1, **filters)
    url = answer.answer.next_url
    expect(url, f'expected: Link with rel="next"; came: {answer.header("link")}', answer)
    kept = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    lost = [name for name in filters if not _same_moment(kept.get(name, ""), filters[name])]
    expect(not lost, f"expected: {', '.join(lost)} in the link; came: {url}", answer)
    expect(kept.get("limit") == "1", f"expected: limit=1 in the link; came: {url}", answer)


def _same_moment(one: str, other: str) -> bool:
    try:
        return parse_time(one) == parse_time(other)
    except ValueError:
        return False


@check("pagination-07", "The last page has no link", section=RESPONSE)
def the_last_page_has_no_link(bench: Bench) -> None:
    """Neither when all objects fit, nor on an empty page."""
    for module in LISTS:
        last = bench.pages(module)[-1]
        expect(not last.answer.next_url, f"{module}: expected: no Link; came: {last.header('link')}", last)
        beyond = bench.page(module, offset=_count(last, "X-Total-Count"))
        told = f"{module}: expected: no Link beyond the end; came: {beyond.header('link')}"
        expect(not beyond.answer.next_url, told, beyond)


@check("pagination-08", "Page by page gives every object once", section=RESPONSE)
def pages_give_everything_once(bench: Bench) -> str:
    """Along the links, one object at a time; at most fifty steps."""
    module = _listing(bench, 2)
    pages = bench.pages(module, limit=1)
    found = _ids([item for page in pages for item in accepted_list(page, f"a page of {module}")])
    expect(len(found) == len(set(found)), f"expected: each object once; came: {', '.join(found)}", pages[-1])
    total = _count(pages[0], "X-Total-Count")
    told = f"expected: {total} objects of {module}; came: {len(found)}"
    expect(
        len(found) == min(total, len(pages)) and (len(pages) >= 50 or len(found) == total), told, pages[-1]
    )
    return f"{len(found)} {module}"


@check("pagination-09", "offset skips as many as it says", section=REQUEST)
def offset_skips(bench: Bench) -> None:
    """offset=1 begins with the second object."""
    module = _listing(bench, 2)
    both, second = bench.page(module, limit=2), bench.page(module, offset=1, limit=1)
    wanted, got = _ids(accepted_list(both, "two objects"))[1:2], _ids(accepted_list(second, "the second"))
    expect(wanted == got, f"expected: {wanted}; came: {got}", both, second)


@check("pagination-10", "Beyond the end is an empty list", section=REQUEST)
def beyond_the_end_is_empty(bench: Bench) -> None:
    """[] with 1000, not an error and not null."""
    for module in LISTS:
        answer = bench.page(module, offset=1_000_000)
        found = accepted_list(answer, f"an empty list of {module}")
        expect(not found, f"{module}: expected: nothing; came: {len(found)} objects", answer)


@check("pagination-11", "A huge limit is clamped", section=REQUEST)
def huge_limits_are_clamped(bench: Bench) -> None:
    """The server limits the number of objects and tells its limit; what no integer type holds it may refuse."""
    limit, module = 10_000_000, _listing(bench, 0)
    answer = bench.page(module, limit=limit)
    found = accepted_list(answer, "a page")
    most = _count(answer, "X-Limit")
    expect(len(found) <= most < limit, f"expected: at most X-Limit {most}; came: {len(found)}", answer)
    never_a_crash(bench.page(module, limit=2**63))


@check("pagination-12", "date_from is inclusive", section=REQUEST)
def date_from_is_inclusive(bench: Bench) -> None:
    """An object is found from its own last_updated on."""
    module, name, at = _dated(bench)
    pages = bench.pages(module, date_from=at)
    found = _ids([item for page in pages for item in accepted_list(page, f"the {module} since {at}")])
    expect(name in found, f"expected: {module} {name}, last updated at {at}; it is missing", pages[-1])


@check("pagination-13", "date_to is exclusive", section=REQUEST)
def date_to_is_exclusive(bench: Bench) -> None:
    """An object is not found up to its own last_updated: intervals would overlap."""
    module, name, at = _dated(bench)
    pages = bench.pages(module, date_to=at)
    found = _ids([item for page in pages for item in accepted_list(page, f"the {module} until {at}")])
    expect(name not in found, f"expected: without {module} {name}, last updated at {at}; it came", pages[-1])


@check("pagination-14", "Objects of a range were updated in it", section=REQUEST)
def ranges_hold_what_they_say(bench: Bench) -> None:
    """Also the total counts only what matches."""
    module, _, at = _dated(bench)
    pages = bench.pages(module, date_from=at)
    items = [item for page in pages for item in accepted_list(page, f"the {module} since {at}")]
    early = [
        str(item.get("id")) for item in items if parse_time(str(item.get("last_updated"))) < parse_time(at)
    ]
    expect(not early, f"expected: nothing older than {at}; came: {', '.join(early)}", pages[0])
    answer = bench.page(module, date_from=FAR_FUTURE)
    total = _count(answer, "X-Total-Count")
    expect(total == 0 and not answer.data, f"expected: nothing from the future; came: {total}", answer)


def _dated(bench: Bench) -> tuple[str, str, str]:
    """A list, an object of it and when that was updated; the newest, so that a server has least to give."""
    for module in STEADY:
        stamped = [
            (str(item["last_updated"]), str(item.get("id")))
            for item in bench.everything(module)
            if isinstance(item, dict) and not moment_problem(item.get("last_updated"))
        ]
        if stamped:
            at, name = max(stamped, key=lambda pair: parse_time(pair[0]))
            return module, name, at
    raise Untried("There is no object with a last_updated.")


@check("pagination-15", "limit and offset that are no numbers get 2001", section=REQUEST + "; status_codes")
def bad_numbers_are_refused(bench: Bench) -> None:
    """Words, fractions, negative numbers."""
    for name, value in (
        ("limit", "many"),
        ("limit", "-1"),
        ("offset", "first"),
        ("offset", "-5"),
        ("limit", "1.5"),
    ):
        refused(bench.page("tariffs", **{name: value}), 2001)


@check("pagination-16", "Dates that are none get 2001", section=REQUEST + "; status_codes")
def bad_dates_are_refused(bench: Bench) -> None:
    """Words, a day that no calendar has."""
    for value in ("yesterday", "2026-02-31T00:00:00Z", "1767225600"):
        refused(bench.page("tariffs", date_from=value), 2001)


@check("pagination-17", "Dates with fractions, and without Z, are understood", section="types, DateTime")
def other_dates_are_understood(bench: Bench) -> None:
    """No designator means UTC; fractional seconds may be used."""
    module, name, at = _dated(bench)
    plain = at.rstrip("Z")
    for value in (plain, f"{plain}Z", "2016-12-29T17:45:09.2", "2018-01-01T01:08:01.123Z"):
        pages = bench.pages(module, date_from=value)
        found = _ids([item for page in pages for item in accepted_list(page, f"the {module} since {value}")])
        expect(name in found, f"expected: {module} {name} since {value}; it is missing", pages[-1])


@check("pagination-18", "The same question gets the same order", section=RESPONSE, level=Level.SHOULD)
def the_order_is_stable(bench: Bench) -> None:
    """The sequence of objects mustn't change, or as little as possible."""
    module = _listing(bench, 2)
    first, second = (_ids(accepted_list(bench.page(module), f"the {module}")) for _ in range(2))
    expect(first == second, f"expected: {', '.join(first[:5])}…; came: {', '.join(second[:5])}…")


@check("pagination-19", "CDRs come oldest first", section=RESPONSE, level=Level.SHOULD)
def oldest_come_first(bench: Bench) -> None:
    """A new object appears on the last page; a CDR is updated when it is made and never again."""
    stamps = [str(item.get("last_updated")) for item in bench.everything("cdrs")]
    if len(stamps) < 2:
        raise Untried("There are not two CDRs yet.")
    moments = [parse_time(stamp) for stamp in stamps]
    expect(moments == sorted(moments), f"expected: oldest first; came: {', '.join(stamps[:5])}")


@check("pagination-20", "A range that ends before it begins is no crash", section=REQUEST, level=Level.SAFETY)
def empty_ranges_are_answered(bench: Bench) -> None:
    """An empty list or 2001."""
    answer = bench.page("tariffs", date_from=FAR_FUTURE, date_to="2001-01-01T00:00:00Z")
    never_a_crash(answer)
    empty = answer.ok and answer.data == []
    fit = empty or (answer.http // 100 == 2 and answer.code == 2001)
    expect_none([] if fit else [f"expected: an empty list or 2001; {came(answer)}"], answer)
