"""Signing in, with a brake: guessing passwords is slow for an address and for a name."""

import hashlib
from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.views import LoginView
from django.core.cache import cache
from django.core.exceptions import ValidationError

WINDOW_SECONDS = 300
FAILURES_PER_NAME = 10  # typing errors of one person
FAILURES_PER_ADDRESS = 50  # an office behind one address


class SignInForm(AdminAuthenticationForm):
    """Staff only; refuses to look at the password while there were too many wrong ones."""

    def clean(self) -> dict[str, Any]:
        keys = self._keys()
        if any(cache.get(key, 0) >= most for key, most in keys.items()):
            raise ValidationError("Too many failed attempts. Try again in five minutes.", code="throttled")
        try:
            return super().clean()
        except ValidationError:
            for key in keys:
                _count(key)
            raise

    def _keys(self) -> dict[str, int]:
        address = self.request.META.get("REMOTE_ADDR", "") if self.request else ""
        name = str(self.cleaned_data.get("username", "")).casefold()
        return {_key("address", address): FAILURES_PER_ADDRESS, _key("name", name): FAILURES_PER_NAME}


def _key(kind: str, subject: str) -> str:
    return f"portal:login:{kind}:{hashlib.sha256(subject.encode()).hexdigest()[:32]}"


def _count(key: str) -> None:
    cache.add(key, 0, timeout=WINDOW_SECONDS)
    try:
        cache.incr(key)
    except ValueError:  # it ended between the two calls
        cache.set(key, 1, timeout=WINDOW_SECONDS)


class SignIn(LoginView):
    """The portal's door."""

    template_name = "portal/login.html"
    authentication_form = SignInForm
