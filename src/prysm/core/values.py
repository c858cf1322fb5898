"""Values: dataclasses that nothing changes once they are made.

Import `dataclass` from here for what every request makes, and write `@dataclass(frozen=True, slots=True)` as ever. To
the type checker it is the standard one, so an assignment to a field is refused. At run time the fields are plain: the
standard one fills a frozen class through a function call a field, some 250 of them a request, which is a fifteenth of
the CPU that a request costs.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass

    __all__ = ["dataclass"]
else:

    def dataclass(*, frozen: bool, **options: Any) -> Any:
        """Make a dataclass that is equal and hashed by its fields, as a frozen one is."""
        return dataclasses.dataclass(unsafe_hash=frozen, **options)
