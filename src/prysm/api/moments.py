"""Times on the wire: RFC 3339 text. A bare number could be seconds, milliseconds or a year, so it is refused."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from pydantic import AwareDatetime, Field, ValidationError, WrapValidator

if TYPE_CHECKING:
    from pydantic import ValidatorFunctionWrapHandler

YEARS = range(1970, 9999)
"""Beyond, and some time zone's date could not be written."""
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def _read(given: object, read: ValidatorFunctionWrapHandler) -> datetime:
    """A time that was written as one; pydantic would take a number for seconds since 1970."""
    if isinstance(given, str) and _DATE.match(given):
        try:
            moment: datetime = read(given)
        except ValidationError:
            pass
        else:
            if moment.year in YEARS:
                return moment
    raise ValueError("write a time as RFC 3339 has it, such as 2031-01-31T12:00:00Z")


_LAX = Field(strict=False)  # strictly, only JSON's own reader takes text for a time
Moment = Annotated[AwareDatetime, _LAX, WrapValidator(_read)]
"""A time with its zone."""
LocalMoment = Annotated[datetime, _LAX, WrapValidator(_read)]
"""A time whose zone may be left out, in an address, where a plus sign is easily lost."""
