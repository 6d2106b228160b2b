"""Secrets come from the environment, a file, or are generated once and kept."""

from pathlib import Path

import pytest

from emabler.secrets import read_secret


@pytest.fixture(autouse=True)
def _no_secret_in_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EXAMPLE_KEY", raising=False)
    monkeypatch.delenv("EXAMPLE_KEY_FILE", raising=False)


def test_the_environment_wins_over_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = read_secret("EXAMPLE_KEY", store=tmp_path / "secrets.env")
    monkeypatch.setenv("EXAMPLE_KEY", "from the environment")

    assert read_secret("EXAMPLE_KEY", store=tmp_path / "secrets.env") == "from the environment" != stored


def test_a_secret_may_lie_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mounted").write_text("from a file\n")
    monkeypatch.setenv("EXAMPLE_KEY_FILE", str(tmp_path / "mounted"))

    assert read_secret("EXAMPLE_KEY", store=tmp_path / "secrets.env") == "from a file"


def test_a_generated_secret_is_kept_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    store = tmp_path / "var" / "secrets.env"

    first = read_secret("EXAMPLE_KEY", store=store)
    other = read_secret("OTHER_KEY", store=store)

    assert read_secret("EXAMPLE_KEY", store=store) == first != other
    assert len(first) >= 50
    assert store.stat().st_mode & 0o077 == 0


def test_of_two_processes_that_generate_at_once_the_first_one_counts(tmp_path: Path) -> None:
    store = tmp_path / "secrets.env"
    store.write_text("EXAMPLE_KEY=first\nEXAMPLE_KEY=second\n")

    assert read_secret("EXAMPLE_KEY", store=store) == "first"
