"""The report as one HTML page that needs nothing else: no script, no picture, no font from elsewhere.

Everything that comes from a check or from the peer is escaped; the peer may be hostile.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Final

from payments.conformance.reports.summary import Facts, by_module, counts, unmet
from payments.conformance.verdicts import Outcome, Result

STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; text-transform: capitalize; }
.counts { display: flex; gap: .75rem; flex-wrap: wrap; padding: 0; list-style: none; }
.counts li { border: 1px solid var(--line); border-radius: .5rem; padding: .5rem 1rem; }
.counts b { font-size: 1.4rem; display: block; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid var(--line); }
th { font-weight: 600; } td.what { width: 60%; } .section { opacity: .7; font-size: .85rem; }
.badge { border-radius: .35rem; padding: .05rem .45rem; font-size: .8rem; font-weight: 700; white-space: nowrap; }
.PASS { background: #1a7f3733; } .FAIL { background: #cf222e; color: #fff; }
.WARN { background: #bf8700; color: #fff; } .SKIP { background: var(--soft); }
.message { white-space: pre-wrap; overflow-wrap: anywhere; margin: .25rem 0; }
pre { background: var(--soft); padding: .6rem; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
summary { cursor: pointer; }
"""
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def as_html(results: list[Result], facts: Facts) -> str:
    """The report as text."""
    return "\n".join(_page(results, facts)) + "\n"


def _page(results: list[Result], facts: Facts) -> Iterator[str]:
    yield "<!doctype html>"
    yield '<html lang="en"><head><meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>PTP conformance of {escape(facts.url)}</title><style>{STYLE}</style></head><body>"
    yield f"<h1>PTP conformance of {escape(facts.url)}</h1>"
    read_only = ", read-only: nothing was written and nothing was charged" if facts.read_only else ""
    yield f"<p>{escape(facts.began_at)}, {facts.seconds:.0f} s{read_only}.</p>"
    yield '<ul class="counts">'
    for name, count in counts(results).items():
        yield f"<li><b>{count}</b>{escape(name)}</li>"
    yield "</ul>"
    if unmet(results):
        yield from _group("Not met", unmet(results))
    for module, group in by_module(results).items():
        yield from _group(module, group)
    yield "</body></html>"


def _group(module: str, group: list[Result]) -> Iterator[str]:
    yield f"<section><h2>{escape(module)}</h2><table>"
    yield "<thead><tr><th>Outcome</th><th>Check</th><th>Version</th><th>Level</th><th>What</th></tr></thead><tbody>"
    for result in group:
        yield from _row(result)
    yield "</tbody></table></section>"


def _row(result: Result) -> Iterator[str]:
    badge = f'<span class="badge {result.outcome.value}">{result.outcome.value}</span>'
    yield f"<tr><td>{badge}</td><td>{escape(result.id)}</td><td>{escape(result.version)}</td>"
    yield f'<td>{result.level.value}</td><td class="what">{escape(result.title)}'
    yield f'<div class="section">{escape(result.section)}</div>'
    if result.message:
        yield f'<div class="message">{escape(result.message)}</div>'
    if result.outcome in (Outcome.FAIL, Outcome.WARN) and result.excerpts:
        yield f"<details><summary>{len(result.excerpts)} exchanges</summary>"
        for excerpt in result.excerpts:
            yield f"<pre>{escape(excerpt['request'])}</pre><pre>{escape(excerpt['response'])}</pre>"
        yield "</details>"
    yield "</td></tr>"
