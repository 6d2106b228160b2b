"""Tariffs in the portal: what is sold where, every version of it, and an editor with a worked example.

Read in this order: `forms` (what a person writes), `shape` (a form as a tariff and back), `draft` (one request
of the editor), `example` (what it costs and says), `saving` (what changes), `pages` and `views`.
"""
