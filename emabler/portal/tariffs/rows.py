"""Adding, removing and moving rows of the editor on what was sent, so that it works without a script."""

from django.http import QueryDict

from emabler.portal.tariffs.draft import ROWS, count

Row = dict[str, list[str]]


def rearranged(data: QueryDict, action: str) -> QueryDict | None:
    """Return the form data after `add-rules`, `remove-notes-2`, `up-rules-1`…; None for any other action."""
    verb, _, rest = action.partition("-")
    prefix, _, number = rest.partition("-")
    if prefix not in ROWS or verb not in ("add", "remove", "up", "down"):
        return None
    rows = _rows(data, prefix)
    at = int(number) if number.isascii() and number.isdigit() and len(number) < 4 else len(rows)
    if verb == "add" and len(rows) < ROWS[prefix][1]:
        rows.append({})
    elif verb == "remove":
        del rows[at : at + 1]
    elif verb in ("up", "down") and at < len(rows):
        rows.insert(max(at - 1, 0) if verb == "up" else at + 1, rows.pop(at))
    return _with_rows(data, prefix, rows)


def _rows(data: QueryDict, prefix: str) -> list[Row]:
    rows: list[Row] = []
    for number in range(count(data, prefix)):
        start = f"{prefix}-{number}-"
        rows.append({key[len(start) :]: data.getlist(key) for key in data if key.startswith(start)})
    return rows


def _with_rows(data: QueryDict, prefix: str, rows: list[Row]) -> QueryDict:
    changed = QueryDict(mutable=True)
    for key in data:
        if not key.startswith(f"{prefix}-"):
            changed.setlist(key, data.getlist(key))
    changed[f"{prefix}-count"] = str(len(rows))
    for number, row in enumerate(rows):
        for key, values in row.items():
            changed.setlist(f"{prefix}-{number}-{key}", values)
    return changed
