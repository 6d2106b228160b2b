"""Tokens that a platform stores with us: kept, changed and given back; they let nobody in and keep nobody out."""

from typing import ClassVar

from payments.models import OcpiConnection, StoredToken
from payments.ocpi.connections import Party
from payments.ocpi.envelope import OcpiError, Reply, Status, created, unknown
from payments.ocpi.server.paths import both
from payments.ocpi.server.segments import may_be_id
from payments.ocpi.server.transport import Call, OcpiView
from payments.ocpi.tokens import TokenEntry, parse_token, patched_token, token_document

DEFAULT_TYPE = "RFID"  # OCPI 2.3.0 mod_tokens, parameter `type`


class TokenView(OcpiView):
    """`tokens/{country_code}/{party_id}/{token_uid}[?type=]`, of the caller's own parties."""

    module: ClassVar[str] = "tokens"

    def get(self, call: Call, country_code: str, party_id: str, uid: str) -> Reply:
        """Give back what was stored."""
        token = _find(call, (country_code, party_id), uid)
        if token is None:
            raise unknown("token")
        return Reply(data=token_document(token.document))

    def put(self, call: Call, country_code: str, party_id: str, uid: str) -> Reply:
        """Store a token, whole."""
        entry = parse_token(call.body)
        party = _own(call.connection, (country_code, party_id))
        told_type = call.request.GET.get("type") or entry.type
        if (party, uid, told_type) != (_party(entry), entry.uid, entry.type):
            raise OcpiError(Status.INVALID, "The address names another token than the body, or not yours.")
        _, is_new = StoredToken.objects.update_or_create(
            connection=call.connection,
            country_code=entry.country_code.upper(),
            party_id=entry.party_id.upper(),
            uid=entry.uid,
            type=entry.type,
            defaults={"document": entry.document, "updated_at": call.now},
        )
        return created() if is_new else Reply()

    def patch(self, call: Call, country_code: str, party_id: str, uid: str) -> Reply:
        """Change the fields that are given."""
        token = _find(call, (country_code, party_id), uid)
        if token is None:
            raise OcpiError(Status.UNKNOWN_TOKEN, "There is no such token; PUT it.")
        token.document = patched_token(token.document, call.body).document
        token.updated_at = call.now
        token.save(update_fields=["document", "updated_at"])
        return Reply()


def _party(entry: TokenEntry) -> Party:
    return entry.country_code.upper(), entry.party_id.upper()


def _own(connection: OcpiConnection, party: Party) -> Party | None:
    """The party in upper case where it is one of the caller's, else None."""
    named = (party[0].upper(), party[1].upper())
    own = {(connection.country_code, connection.party_id)}
    for role in connection.roles:
        if isinstance(role, dict):
            own.add((str(role.get("country_code")).upper(), str(role.get("party_id")).upper()))
    return named if named in own else None


def _find(call: Call, party: Party, uid: str) -> StoredToken | None:
    """The token of the address. Without `type` it is the RFID one, or the only one of that uid."""
    own, told_type = _own(call.connection, party), call.request.GET.get("type", "")
    if own is None or not may_be_id(uid) or (told_type and not may_be_id(told_type)):
        return None
    same_uid = StoredToken.objects.filter(
        connection=call.connection, country_code=own[0], party_id=own[1], uid=uid
    )
    by_type = {token.type: token for token in same_uid}
    if told_type or DEFAULT_TYPE in by_type:
        return by_type.get(told_type or DEFAULT_TYPE)
    return next(iter(by_type.values())) if len(by_type) == 1 else None


urlpatterns = both("tokens/<str:country_code>/<str:party_id>/<str:uid>", TokenView, "ocpi-token")
