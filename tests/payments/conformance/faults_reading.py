"""Faults at the entrance and on the wire: versions, tokens, the handshake, envelopes, bodies, conduct."""

import base64
import time
from dataclasses import replace
from typing import Any

from payments.conformance.checks import conduct
from payments.simulator.ocpi.wire import Reply, Request, tokens_in
from tests.payments.conformance.faults import (
    Fault,
    coded,
    data,
    drop,
    header,
    http,
    in_envelope,
    on,
    put,
    raw,
    reads_anything,
    refuse,
    status,
    success,
)  # fmt: skip

VERSIONS, DETAILS, CREDENTIALS = "/ocpi/versions", "/details", "/credentials"
LOCATIONS, ANY = r"/locations/?$", ""
STOP = "/STOP_SESSION"


def _newline_is_no_token(request: Request, reply: Reply) -> Reply:
    value = (request.headers.get("Authorization") or "").partition(" ")[2]
    bad = value.isascii() and len(value) % 4 == 0 and base64.b64decode(value or "AA==").endswith(b"\n")
    return http(401)(reply) if bad else reply


def _repeats_the_token(request: Request, reply: Reply) -> Reply:
    said = tokens_in(request.headers.get("Authorization"))
    return replace(reply, message=f"I do not know {said}") if reply.http_status == 401 else reply


def _no_endpoint(name: str) -> Any:
    return lambda told: told.update(endpoints=[e for e in told["endpoints"] if e["identifier"] != name])


def _role(name: str, role: str) -> Any:
    return lambda told: [e.update(role=role) for e in told["endpoints"] if e["identifier"] == name]


ENTRANCE = [
    Fault("versions-01", "a version without URL", on("GET", VERSIONS, data(drop("url")))),
    Fault(
        "versions-02", "2.3.0 is missing", on("GET", VERSIONS, lambda r: replace(r, data=(r.data or [])[:1]))
    ),
    Fault(
        "versions-03",
        "every version twice",
        on("GET", VERSIONS, lambda r: replace(r, data=r.data and r.data * 2)),
    ),
    Fault(
        "versions-04",
        "http at a public host",
        on(
            "GET",
            VERSIONS,
            lambda r: replace(
                r, data=r.data and [*r.data, {"version": "2.2", "url": "http://cpo.example/2.2"}]
            ),
        ),
    ),
    Fault("versions-05", "details of another version", on("GET", DETAILS, data(put(version="2.2.1")))),
    Fault("versions-06", "payments is missing", on("GET", DETAILS, data(_no_endpoint("payments")))),
    Fault("versions-07", "RECEIVER of CDRs", on("GET", DETAILS, data(_role("cdrs", "RECEIVER")))),
    Fault(
        "versions-08",
        "tariffs twice",
        on("GET", DETAILS, data(lambda d: d["endpoints"].append(d["endpoints"][2]))),
    ),
    Fault("versions-09", "details for everybody", on("GET", DETAILS, success({}), when=status(401))),
    *(
        Fault(check, "403 in place of 401", on("*", ANY, http(403), when=status(401)))
        for check in ("auth-01", "auth-02", "auth-03", "auth-04", "auth-07", "auth-08")
    ),
    Fault("auth-05", "a newline is taken for a part of the token", _newline_is_no_token),
    Fault("auth-06", "token A opens every module", habit="token A opens all"),
    Fault("auth-09", "token A lives on", habit="keeps token A"),
    Fault("auth-10", "401 with a word", on("*", ANY, raw(b"Unauthorized"), when=status(401))),
    Fault("auth-11", "the refusal repeats the token", _repeats_the_token),
    Fault("credentials-01", "PUT is an OCPI error", on("PUT", CREDENTIALS, http(200), when=status(405))),
    Fault("credentials-02", "DELETE succeeds", on("DELETE", CREDENTIALS, success(), when=status(405))),
    Fault(
        "credentials-03",
        "400 for a missing field",
        on("POST", CREDENTIALS, http(400, 2001), when=coded(2001)),
    ),
    Fault(
        "credentials-04",
        "200 for what is no JSON",
        on("POST", CREDENTIALS, http(200, 2001), when=status(400)),
        patch=reads_anything,
    ),
    Fault(
        "credentials-05",
        "503 for an unreachable client",
        on("POST", CREDENTIALS, http(503, 3001), when=coded(3001)),
    ),
    Fault(
        "credentials-06",
        "400 for a strange client",
        on("POST", CREDENTIALS, http(400, 3002), when=coded(3002)),
    ),
    Fault(
        "credentials-07",
        "another code for a bare client",
        on("PUT", CREDENTIALS, http(200, 3000), when=coded(3003)),
    ),
    Fault("credentials-08", "no token comes back", on("POST", CREDENTIALS, data(drop("token")))),
    Fault(
        "credentials-09",
        "a role without business details",
        on("POST", CREDENTIALS, data(lambda d: d["roles"][0].pop("business_details"))),
    ),
    Fault(
        "credentials-10",
        "no CPO among the roles",
        on("POST", CREDENTIALS, data(lambda d: d["roles"][0].update(role="EMSP"))),
    ),
    Fault("credentials-11", "our own token comes back", habit="gives our token back"),
    Fault("credentials-12", "our details are guessed", habit="does not read details"),
    Fault("credentials-13", "routing headers in the handshake", habit="routes configuration"),
    Fault(
        "credentials-14",
        "a second POST is an OCPI error",
        on("POST", CREDENTIALS, http(200), when=status(405)),
    ),
    Fault("credentials-15", "GET without url", on("GET", CREDENTIALS, data(drop("url")))),
    Fault("credentials-16", "PATCH succeeds", on("PATCH", CREDENTIALS, success(), when=status(405))),
    Fault("credentials-17", "the old token lives on", habit="old tokens live"),
    Fault("credentials-18", "PUT is checked with the old token", habit="rotates with the old token"),
    Fault("credentials-19", "a failed PUT locks us out", habit="forgets on a failed PUT"),
    Fault("credentials-20", "the token outlives DELETE", habit="does not forget"),
    Fault(
        "credentials-21", "DELETE for nobody succeeds", on("DELETE", CREDENTIALS, success(), when=status(401))
    ),
]


def _slow(seconds: float) -> Any:
    def wait(reply: Reply) -> Reply:
        time.sleep(seconds)
        return reply

    return wait


def _no_header(name: str) -> Any:
    return lambda request, _: name not in request.headers


def _odd_fields(request: Request, _: Reply) -> bool:
    return isinstance(request.body, dict) and "nested" in request.body


def _slashed(request: Request, _: Reply) -> bool:
    return request.path.endswith("/")


MOVED = http(301)
TRANSPORT = [
    Fault(
        "transport-01",
        "a timestamp with offset",
        on("GET", LOCATIONS, in_envelope(timestamp="2026-01-01T00:00:00+00:00")),
    ),
    Fault("transport-02", "JSON as text/html", on("GET", "/locations", header("Content-Type", "text/html"))),
    Fault("transport-03", "another X-Request-ID", on("GET", LOCATIONS, header("X-Request-ID", "other"))),
    Fault(
        "transport-04", "another X-Correlation-ID", on("GET", LOCATIONS, header("X-Correlation-ID", "other"))
    ),
    Fault(
        "transport-05",
        "errors lose the id",
        on("GET", "/locations", header("X-Request-ID", "other"), when=status(404)),
    ),
    Fault(
        "transport-06", "ids are required", on("GET", LOCATIONS, refuse(), when=_no_header("X-Request-ID"))
    ),
    Fault(
        "transport-07", "to and from are not swapped", on("GET", LOCATIONS, header("OCPI-to-party-id", "ECO"))
    ),
    Fault(
        "transport-08",
        "routing is required",
        on("GET", LOCATIONS, refuse(), when=_no_header("OCPI-to-party-id")),
    ),
    Fault("transport-09", "every party is served", habit="serves any party"),
    Fault("transport-10", "GET with slash is redirected", on("GET", ANY, MOVED, when=_slashed)),
    Fault("transport-11", "POST with slash is redirected", on("POST", ANY, MOVED, when=_slashed)),
    Fault("transport-12", "unknown fields are refused", on("POST", STOP, refuse(), when=_odd_fields)),
    Fault("transport-13", "absent objects are 1000", on("GET", "/locations/", success({}), when=status(404))),
    Fault("transport-14", "404 in place of 405", on("*", ANY, http(404), when=status(405))),
    Fault("transport-15", "400 for an OCPI error", on("*", ANY, http(400, 2001), when=coded(2001))),
    Fault("transport-16", "errors without words", on("POST", STOP, lambda r: replace(r, message=""))),
    Fault("transport-17", "odd paths crash", on("GET", "/locations/%", http(500, 3000))),
    Fault(
        "transport-18",
        "parties are compared by case",
        on("GET", LOCATIONS, refuse(), when=lambda q, _: q.headers.get("OCPI-to-country-code", "").islower()),
    ),
    *(
        Fault(
            check,
            "what is no JSON is answered as if it were",
            on("POST", STOP, success({}), when=status(400)),
            patch=reads_anything,
        )
        for check in ("bodies-01", "bodies-02", "bodies-03")
    ),
    Fault(
        "bodies-04",
        "a list crashes",
        on("POST", STOP, http(500, 3000), when=lambda q, _: not isinstance(q.body, dict)),
    ),
    Fault(
        "bodies-05",
        "depth crashes",
        on("POST", STOP, http(500, 3000), when=status(400)),
        patch=reads_anything,
    ),
    Fault("bodies-06", "five megabytes are read", on("POST", STOP, success({}), when=status(413))),
    Fault(
        "bodies-07",
        "a charset is refused",
        on("POST", STOP, http(415), when=lambda q, _: "charset" in q.headers.get("Content-Type", "")),
    ),
    Fault(
        "bodies-08", "forms are read", on("POST", STOP, success({}), when=status(415)), patch=reads_anything
    ),
    Fault("bodies-09", "text/plain is read", on("POST", STOP, success({}), when=status(415))),
    Fault("bodies-10", "NUL crashes", on("POST", STOP, http(500, 3000), when=status(400))),
    Fault(
        "conduct-01", "an absent object crashes", on("GET", "/locations/", http(500, 3000), when=status(404))
    ),
    Fault("conduct-02", "a bare list", on("GET", LOCATIONS, raw(b"[]"))),
    Fault("conduct-03", "a bare 404", on("GET", "/locations/", raw(b"no"), when=status(404))),
    Fault("conduct-04", "a code of its own", on("GET", LOCATIONS, in_envelope(status_code=1234))),
    Fault(
        "conduct-05",
        "a timestamp with microseconds",
        on("GET", LOCATIONS, in_envelope(timestamp="2026-01-01T00:00:00.123456Z")),
    ),
    Fault("conduct-06", "404 with 1000", on("GET", "/locations/", http(404, 1000), when=status(404))),
    Fault("conduct-07", "an absent object is redirected", on("GET", "/locations/", MOVED, when=status(404))),
    Fault(
        "conduct-08",
        "a framework's page",
        on("GET", "/locations/", raw(b"<html>Not Found</html>"), when=status(404)),
    ),
    Fault(
        "conduct-09",
        "slow lists",
        on("GET", LOCATIONS, _slow(0.2)),
        patch=lambda patch: patch.setattr(conduct, "SLOW_SECONDS", 0.1),
    ),
]

READING = [*ENTRANCE, *TRANSPORT]
