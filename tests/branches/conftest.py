"""One ground for each module, one world for each test."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command

from tests.branches.doors import NATIVE, open_door
from tests.branches.ground import Ground, laid_out
from tests.branches.world import World


@pytest.fixture
def _django_db_helper() -> None:
    """Stand in for pytest-django's: in this room a database lives as long as its module."""


@pytest.fixture(scope="module")
def books(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The module's database, open to every thread, emptied at its end."""
    with django_db_blocker.unblock():
        yield
        call_command("flush", verbosity=0, interactive=False)


@pytest.fixture(scope="module")
def ground(books: None) -> Iterator[Ground]:
    """The product on a real socket."""
    with laid_out() as ground:
        yield ground


@pytest.fixture
def world(ground: Ground, request: pytest.FixtureRequest) -> Iterator[World]:
    """A world at the door that the test names; the native one by default."""
    ground.worker.forget()
    ground.worker.loses_wake_ups = False
    world = World(ground, open_door(ground, getattr(request, "param", NATIVE)))
    yield world
    world.close()
