"""The first operator account, made at the first start because no password has a usable default."""

import secrets

from django.contrib.auth import get_user_model

ADMIN_NAME = "admin"
PASSWORD_BYTES = 12  # 96 bits: beyond guessing, short enough to type once


def ensure_admin(*, reset: bool) -> str | None:
    """Make sure that an operator can sign in.

    Returns the new password when one was made: no superuser existed yet, or `reset` asked for one.
    """
    users = get_user_model()
    if not reset and users.objects.filter(is_superuser=True, is_active=True).exists():
        return None
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    admin, _ = users.objects.get_or_create(username=ADMIN_NAME)
    admin.is_superuser = admin.is_staff = admin.is_active = True
    admin.set_password(password)
    admin.save()
    return password
