#!/usr/bin/env python
"""Command line of the backend: `python manage.py help`."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "emabler.settings")
    from emabler.running.options import environment_of

    # `up` has options that decide settings, and Django reads settings before a command sees its options.
    os.environ.update(environment_of(sys.argv))
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
