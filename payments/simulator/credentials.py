"""Secrets of the demo's virtual terminals, in a file that only this installation's user reads."""

from pathlib import Path

from django.conf import settings

from payments.simulator import files


def save(terminal_id: str, api_key: str, webhook_secret: str = "") -> None:
    """Keep the key under which a terminal speaks, and the secret that signs what it hears; older ones go."""
    with files.opened(_file()) as known:
        known[terminal_id] = {"api_key": api_key, "webhook_secret": webhook_secret}


def save_ocpi(terminal_id: str, control_url: str) -> None:
    """Keep where the buttons of a terminal are whose PTP speaks OCPI (`simulate_ptp`)."""
    with files.opened(_file()) as known:
        known[terminal_id] = {"control_url": control_url}


def control_url(terminal_id: str) -> str | None:
    """Return where the buttons of a terminal over OCPI are, None for another."""
    entry = files.read(_file()).get(terminal_id)
    return entry.get("control_url") if isinstance(entry, dict) else None


def find(terminal_id: str) -> str | None:
    """Return the key of a terminal, None for one that is not of the demo."""
    entry = files.read(_file()).get(terminal_id)
    return entry.get("api_key") if isinstance(entry, dict) else None


def webhook_secrets() -> dict[str, str]:
    """Return the webhook secret of each terminal that has one."""
    entries = files.read(_file()).items()
    return {
        name: entry["webhook_secret"]
        for name, entry in entries
        if isinstance(entry, dict) and "api_key" in entry
    }


def _file() -> Path:
    return Path(settings.VAR_DIR) / "demo.json"
