"""The faults of a refusal, as tests compare them."""

from collections.abc import Callable

import pytest

from tariffs.engine.errors import InvalidInput


def faults(parse: Callable[..., object], *arguments: object) -> list[tuple[str, str]]:
    """Path and code of every fault that the parser names."""
    with pytest.raises(InvalidInput) as refused:
        parse(*arguments)
    return [(error.path, error.code) for error in refused.value.errors]
