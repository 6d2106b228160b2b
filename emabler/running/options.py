"""The options of `manage.py up`, and the settings that follow from them.

Django reads its settings before a command sees its options. `manage.py` therefore asks this module first
and puts the answer into the environment: one small, explicit step instead of settings that change later.
"""

import argparse
from collections.abc import Sequence

WILDCARD_HOSTS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  (read here, not bound)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `up` on `parser`."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=port_number, default=8000, help="port to listen on (default 8000)")
    parser.add_argument(
        "--demo", action="store_true", help="demo network, simulated chargers, virtual terminal"
    )
    parser.add_argument("--reset-admin", action="store_true", help="give the user `admin` a new password")
    parser.add_argument(
        "--with-worker",
        action="store_true",
        help="also with REDIS_URL: run a Celery worker and beat in this process (at most one process may)",
    )


def environment_of(argv: Sequence[str]) -> dict[str, str]:
    """Return the environment variables that `argv` (as in `sys.argv`) implies; empty for other commands.

    A usage error ends the process with status 2, as it does in the command itself.
    """
    if len(argv) < 2 or argv[1] != "up":
        return {}
    parser = argparse.ArgumentParser(prog=f"{argv[0]} up", add_help=False)
    add_options(parser)
    options, _ = parser.parse_known_args(argv[2:])
    implied = {"EMABLER_LISTEN_URL": listen_url(options.host, options.port)}
    if options.demo:
        implied["EMABLER_DEMO"] = "1"
    return implied


def listen_url(host: str, port: int) -> str:
    """Return the URL under which a browser on this machine reaches a server on `host` and `port`."""
    reachable = WILDCARD_HOSTS.get(host, host)
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def port_number(text: str) -> int:
    port = int(text)
    if not 1 <= port <= 65535:
        raise argparse.ArgumentTypeError("must be between 1 and 65535")
    return port
