"""Fields that take what a person types exactly: decimals with a point or a comma, moments in UTC."""

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

_DECIMAL = re.compile(r"(?P<whole>[0-9]{1,9})(?:[.,](?P<fraction>[0-9]{1,6}))?")
YEARS = range(2000, 2101)  # what lies beyond is a slip of the finger, and breaks calendars


class ExactDecimalField(forms.CharField):
    """A number from 0, as `0.59` or `0,59`; the value is the `Decimal` that was written, or None."""

    def __init__(self, **options: Any) -> None:
        attributes = {"inputmode": "decimal", "autocomplete": "off", "class": "short"}
        super().__init__(**{"widget": forms.TextInput(attrs=attributes), "max_length": 24, **options})

    def clean(self, value: Any) -> Any:
        """Read the text. Raises ValidationError."""
        text = super().clean(value)
        if not text:
            return None
        match = _DECIMAL.fullmatch(text)
        if match is None:
            raise ValidationError("A number such as 0.59, with six decimals at most.", code="invalid")
        return Decimal(f"{match['whole']}.{match['fraction'] or 0}")


class WholeField(forms.IntegerField):
    """A whole number from 0."""

    def __init__(self, *, most: int, **options: Any) -> None:
        widget = forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off", "class": "short"})
        super().__init__(
            **{"widget": widget, "min_value": 0, "max_value": most, "required": False, **options}
        )

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        """Leave out min and max, which a text input does not know."""
        return {}


class MomentField(forms.DateTimeField):
    """A date with a time of day, to the minute or, as OCPI's validity needs it, to the second."""

    def __init__(self, *, seconds: bool = False, **options: Any) -> None:
        attributes = {"type": "datetime-local"} | ({"step": "1"} if seconds else {})
        pattern = "%Y-%m-%dT%H:%M:%S" if seconds else "%Y-%m-%dT%H:%M"
        widget = forms.DateTimeInput(format=pattern, attrs=attributes)
        super().__init__(**{"widget": widget, "required": False, **options})

    def clean(self, value: Any) -> datetime | None:
        """Read the moment as UTC. Raises ValidationError."""
        at = super().clean(value)
        if at is not None and at.year not in YEARS:
            raise ValidationError(f"A year from {YEARS[0]} to {YEARS[-1]}.", code="invalid")
        return at


class ClockField(forms.TimeField):
    """A time of day to the minute."""

    def __init__(self, **options: Any) -> None:
        widget = forms.TimeInput(format="%H:%M", attrs={"type": "time"})
        super().__init__(**{"widget": widget, "required": False, "input_formats": ["%H:%M"], **options})


def choice(label: str, choices: Sequence[tuple[str, str]], **options: Any) -> forms.ChoiceField:
    """Return a list to choose one from."""
    return forms.ChoiceField(label=label, choices=list(choices), **options)
