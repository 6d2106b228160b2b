"""The language of planted faults: what is wrong with the scripted CPO, and which check must tell."""

import re
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import pytest

from payments import exact_json
from payments.conformance import expectations
from payments.simulator.ocpi.wire import NotOcpi, Reply, Request, envelope, read_json, server
from tests.payments.conformance.cpo import Message, ScriptedCpo, Sending, Tamper

Json = Any
Change = Callable[[Reply], Reply]
Patch = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Fault:
    """One fault and the check that must catch it."""

    check: str
    what: str
    tamper: Tamper | None = None
    sending: Sending | None = None
    habit: str = ""
    setup: Callable[[ScriptedCpo], Any] | None = None
    patch: Patch | None = None
    version: str = "2.3.0"
    never_comes: bool = False  # the kit waits in vain for something: it shall not wait long
    comes_twice: bool = (
        False  # the kit listens for a second one: it shall listen long enough for a slow machine
    )

    def __str__(self) -> str:
        return f"{self.check}: {self.what}"


# --- replies ------------------------------------------------------------------------------------


def on(
    method: str, path: str, change: Change, *, when: Callable[[Request, Reply], object] | None = None
) -> Tamper:
    """Change the reply to requests by `method` (or any) whose path is like `path`."""

    def tamper(request: Request, reply: Reply) -> Reply:
        fits = method in ("*", request.method) and re.search(path, request.path)
        return change(reply) if fits and (when is None or when(request, reply)) else reply

    return tamper


def coded(code: int) -> Callable[[Request, Reply], bool]:
    return lambda _, reply: reply.status_code == code


def status(http: int) -> Callable[[Request, Reply], bool]:
    return lambda _, reply: reply.http_status == http


def asks(**query: str) -> Callable[[Request, Reply], bool]:
    return lambda request, _: all(request.query.get(name) == value for name, value in query.items())


def http(number: int, code: int = 2000) -> Change:
    return lambda reply: replace(reply, http_status=number, status_code=code)


def success(data: Json = None) -> Change:
    return lambda reply: Reply(data, headers=reply.headers)


def refuse(code: int = 2001) -> Change:
    return lambda reply: Reply(status_code=code, message="No.", headers=reply.headers)


def header(name: str, value: str) -> Change:
    return lambda reply: replace(reply, headers={**reply.headers, name: value})


def raw(body: bytes) -> Change:
    return lambda reply: replace(reply, raw=body)


def in_envelope(**fields: Json) -> Change:
    """Say something else beside the data."""

    def change(reply: Reply) -> Reply:
        said = envelope(reply.data, reply.status_code, reply.message) | fields
        return replace(reply, raw=exact_json.dumps(said).encode())

    return change


def data(change: Callable[[Json], Any]) -> Change:
    """Change the data in place, object by object."""

    def changed(reply: Reply) -> Reply:
        if reply.status_code != 1000 or reply.data is None:
            return reply
        copy = deepcopy(reply.data)
        for item in copy if isinstance(copy, list) else [copy]:
            change(item)
        return replace(reply, data=copy)

    return changed


def put(**fields: Json) -> Callable[[Json], Any]:
    return lambda item: item.update(fields)


def drop(*names: str) -> Callable[[Json], Any]:
    return lambda item: [item.pop(name, None) for name in names]


# --- what it sends ------------------------------------------------------------------------------


def sent(
    method: str, kind: str, change: Callable[[Message], Sequence[Message]], *, status: str = ""
) -> Sending:
    """Change messages by `method` (or any) of this kind, of sessions in this status where one is named."""

    def sending(message: Message) -> Sequence[Message]:
        fits = method in ("*", message.method) and message.kind == kind
        fits = fits and (not status or (message.body or {}).get("status") == status)
        return change(message) if fits else [message]

    return sending


def lost(_: Message) -> Sequence[Message]:
    return []


def doubled(message: Message) -> Sequence[Message]:
    return [message, message]


def body(change: Callable[[Json], Any]) -> Callable[[Message], Sequence[Message]]:
    def changed(message: Message) -> Sequence[Message]:
        copy = deepcopy(message.body)
        change(copy)
        return [replace(message, body=copy)]

    return changed


def carrying(**headers: str | None) -> Callable[[Message], Sequence[Message]]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda message: [replace(message, headers=named)]


# --- its insides --------------------------------------------------------------------------------


def reads_anything(patch: pytest.MonkeyPatch) -> None:
    """The HTTP layer takes what is no JSON for an empty object; what is behind it sees the bytes."""

    def lenient(text: bytes) -> Json:
        try:
            return read_json(text)
        except NotOcpi:
            return {}

    patch.setattr(server, "read_json", lenient)


def in_a_hurry(patch: pytest.MonkeyPatch) -> None:
    """Let a tenth of a second be slow: the test shall not be."""
    patch.setattr(expectations, "AT_ONCE_SECONDS", 0.1)
