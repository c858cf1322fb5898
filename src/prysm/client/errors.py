"""What the client raises when a call does not end well.

PrysmError
├── PrysmClientError
│   ├── GatewayUnreachable   no whole answer arrived      unreachable | timeout | connection_lost
│   ├── BadAnswer            one arrived that is not what a gateway says, or a stream was cut   bad_answer
│   └── GatewayError         the gateway says what went wrong, with its own code
├── ConfigError              an address or a key that cannot be used
└── InvalidRequest           an argument that is not JSON
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx

from prysm.errors import PrysmError

if TYPE_CHECKING:
    from collections.abc import Iterator


class PrysmClientError(PrysmError):
    """A call that failed. `status` is the HTTP status, None when no status tells of the failure.

    `request_id` names the run in the gateway's log and receipts; None when the gateway named none.
    """

    code = "client_error"
    status: int | None  # type: ignore[assignment,misc]  # what arrived, and nothing may have

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        param: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, param=param, code=code)
        self.status = status
        self.request_id = request_id


class GatewayUnreachable(PrysmClientError):
    """No whole answer arrived. After `timeout` and `connection_lost` the run may have gone on and cost money."""

    code = "unreachable"


class BadAnswer(PrysmClientError):
    """What arrived is not what a gateway says, or it is only a part of it."""

    code = "bad_answer"


class GatewayError(PrysmClientError):
    """The gateway refused or failed, and says why. `retry_after_s` is how long it asks to wait, if it does."""

    retry_after_s: float | None = None


@contextmanager
def transport_errors_named(base_url: str) -> Iterator[None]:
    """Turn what httpx raises into our own errors."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise GatewayUnreachable(
            f"No gateway answers at {base_url}: start one with `prysm serve`, or name another (--url, base_url)."
        ) from error
    except httpx.TimeoutException as error:
        raise GatewayUnreachable(
            f"The gateway at {base_url} went silent: give the call a longer `timeout`, or the run a `deadline_s`.",
            code="timeout",
        ) from error
    except httpx.DecodingError as error:
        raise BadAnswer(f"The answer of {base_url} cannot be decompressed: is that a Prysm gateway?") from error
    except httpx.HTTPError as error:
        raise GatewayUnreachable(
            f"The connection to {base_url} broke before the whole answer was here: look into the gateway's log.",
            code="connection_lost",
        ) from error
