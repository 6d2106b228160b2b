"""Staff, at the portal."""

from django.contrib.auth import get_user_model
from django.test import Client


def anna() -> Client:
    """Staff, signed in to the portal, with every right."""
    user, _ = get_user_model().objects.get_or_create(
        username="anna", defaults={"is_staff": True, "is_superuser": True}
    )
    client = Client()
    client.force_login(user)
    return client


def anna_does(what: str, **form: object) -> None:
    """Send a form of the pages about money; whether it was heeded is for the test to see."""
    answer = anna().post(f"/money/{what}", form)
    assert answer.status_code == 302, answer.content.decode()
