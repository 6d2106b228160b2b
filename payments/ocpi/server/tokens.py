"""Tokens that a platform stores with us: kept, changed and given back; they let nobody in and keep nobody out."""

from typing import ClassVar

from django.db import transaction
from django.db.models import QuerySet

from payments.models import StoredToken
from payments.ocpi.connections import Party
from payments.ocpi.envelope import OcpiError, Reply, Status, created, unknown
from payments.ocpi.server.paths import both
from payments.ocpi.server.segments import may_be_id
from payments.ocpi.server.transport import Call, OcpiView
from payments.ocpi.their_parties import in_capitals, their_parties
from payments.ocpi.tokens import parse_token, patched_token, token_document

DEFAULT_TYPE = "RFID"  # OCPI 2.3.0 mod_tokens, parameter `type`


class TokenView(OcpiView):
    """`tokens/{country_code}/{party_id}/{token_uid}[?type=]`, of the caller's own parties."""

    module: ClassVar[str] = "tokens"

    def get(self, call: Call, country_code: str, party_id: str, uid: str) -> Reply:
        """Give back what was stored."""
        token = _find(call, (country_code, party_id), uid).first()
        if token is None:
            raise unknown("token")
        return Reply(data=token_document(token.document))

    def put(self, call: Call, country_code: str, party_id: str, uid: str) -> Reply:
        """Store a token, whole; its own type is taken where the address names none."""
        entry = parse_token(call.body)
        party = _own(call, (country_code, party_id))
        kind = call.request.GET.get("type") or entry.type
        owner = in_capitals((entry.country_code, entry.party_id))
        if (party, uid.lower(), kind) != (owner, entry.uid.lower(), entry.type):
            raise OcpiError(Status.INVALID, "The address names another token than the body, or not yours.")
        known = _named(call, owner, entry.uid, entry.type).first()
        _, is_new = StoredToken.objects.update_or_create(
            connection=call.connection,
            country_code=owner[0],
            party_id=owner[1],
            uid=known.uid if known else entry.uid.lower(),
            type=entry.type,
            defaults={"document": entry.document, "updated_at": call.now},
        )
        return created() if is_new else Reply()

    def patch(self, call: Call, country_code: str, party_id: str, uid: str) -> Reply:
        """Change the fields that are given."""
        with transaction.atomic():
            token = _find(call, (country_code, party_id), uid).select_for_update().first()
            if token is None:
                raise OcpiError(Status.UNKNOWN_TOKEN, "There is no such token; PUT it.")
            token.document = patched_token(token.document, call.body).document
            token.updated_at = call.now
            token.save(update_fields=["document", "updated_at"])
        return Reply()


def _own(call: Call, party: Party) -> Party | None:
    """The party in capitals where it is one of the caller's, else None."""
    named = in_capitals(party)
    return named if named in their_parties(call.connection) else None


def _find(call: Call, party: Party, uid: str) -> QuerySet[StoredToken]:
    """The token of the address; without `type` an RFID one is meant."""
    own, kind = _own(call, party), call.request.GET.get("type") or DEFAULT_TYPE
    if own is None or not may_be_id(uid) or not may_be_id(kind):
        return StoredToken.objects.none()
    return _named(call, own, uid, kind)


def _named(call: Call, owner: Party, uid: str, kind: str) -> QuerySet[StoredToken]:
    """The token of this name. A uid is the same in any case (CiString).

    Its row bears it in lower case, so that the key of the table finds it among many, and lets no second one in;
    the document has it as it came. So have rows from before that.
    """
    return StoredToken.objects.filter(
        connection=call.connection,
        country_code=owner[0],
        party_id=owner[1],
        uid__in={uid, uid.lower()},
        type=kind,
    )


urlpatterns = both("tokens/<str:country_code>/<str:party_id>/<str:uid>", TokenView, "ocpi-token")
