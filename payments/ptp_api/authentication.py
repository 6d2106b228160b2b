"""Who calls: `Authorization: Bearer <key>`; a key speaks for a PTP, or for one terminal of it."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from payments import keys
from payments.models import ApiKey, Ptp, Terminal

LONGEST_KEY = 200  # ours have 47 characters, imported ones may be longer; nothing needs more
USE_NOTED_EVERY = timedelta(minutes=1)  # "last used" is for people; a write per request is not worth it


@dataclass(frozen=True)
class Caller:
    """The PTP behind a request; `terminal` where its key is limited to one."""

    ptp: Ptp
    terminal: Terminal | None
    key: ApiKey
    is_authenticated: bool = True


class KeyAuthentication(BaseAuthentication):
    """Authenticates a PTP by its API key (RFC 6750 §2.1). `request.user` is the Caller, `request.auth` its key."""

    def authenticate(self, request: Request) -> tuple[Caller, ApiKey]:
        """Return the caller. Raises AuthenticationFailed, in one wording for every cause."""
        caller = caller_of(request._request)
        if caller is None:
            raise AuthenticationFailed
        return caller, caller.key

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge that goes with 401."""
        return 'Bearer realm="ptp"'


def caller_of(request: HttpRequest) -> Caller | None:
    """Return who calls, None for no key, an unknown or a revoked one."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key or len(key) > LONGEST_KEY or not key.isascii():
        return None
    found = keys.find_key(key)
    if found is None:
        return None
    _note_use(found)
    return Caller(found.ptp, found.terminal, found)


def _note_use(key: ApiKey) -> None:
    now = timezone.now()
    if key.last_used_at is not None and now - key.last_used_at < USE_NOTED_EVERY:
        return
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - USE_NOTED_EVERY)
    ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=now)
