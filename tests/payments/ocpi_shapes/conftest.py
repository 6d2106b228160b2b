"""Models by others are a wish, not a must: where they are not installed, their test is not collected."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("ocpi_types") else ["test_parsed_by_others.py"]
