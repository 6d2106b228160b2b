"""OCPI's wire as a peer knows it: token header, envelope, ids, routing, pages; a client and a small server.

It reads tolerantly, as a peer that others built would, and keeps what it got as it came, so that a test can
look at it. It knows nothing of Django and nothing of our own OCPI server.
"""

from payments.simulator.ocpi.wire.client import Answer, OcpiClient
from payments.simulator.ocpi.wire.server import Cut, Handler, PeerServer, Reply, Request, not_found, paged
from payments.simulator.ocpi.wire.words import (
    CLIENT_API_UNUSABLE,
    CLIENT_ERROR,
    ENDPOINTS_MISSING,
    INVALID_PARAMETERS,
    SERVER_ERROR,
    SUCCESS,
    UNKNOWN_LOCATION,
    UNSUPPORTED_VERSION,
    Json,
    NoAnswer,
    NotOcpi,
    Party,
    envelope,
    parse_time,
    read_json,
    token_header,
    tokens_in,
    utc_text,
)

__all__ = [
    "CLIENT_API_UNUSABLE",
    "CLIENT_ERROR",
    "ENDPOINTS_MISSING",
    "INVALID_PARAMETERS",
    "SERVER_ERROR",
    "SUCCESS",
    "UNKNOWN_LOCATION",
    "UNSUPPORTED_VERSION",
    "Answer",
    "Cut",
    "Handler",
    "Json",
    "NoAnswer",
    "NotOcpi",
    "OcpiClient",
    "Party",
    "PeerServer",
    "Reply",
    "Request",
    "envelope",
    "not_found",
    "paged",
    "parse_time",
    "read_json",
    "token_header",
    "tokens_in",
    "utc_text",
]
