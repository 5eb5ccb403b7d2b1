"""JSON over HTTP that puts up with a busy server: retries, waits, and what is never retried.

Retried: 408, 429, 5xx, time-outs and lost connections, with exponential waits and some noise, or as
long as ``Retry-After`` says. Not retried: every other answer; what it means is the caller's to say.
"""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple, Self

from debias_eval.errors import BackendError, MissingError

try:
    import httpx2
except ModuleNotFoundError as error:
    raise MissingError(
        "the openai back end needs httpx2; pip install 'debias-eval[http]'"
    ) from error

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["HttpReply", "JsonClient", "RetryPolicy"]

_log = logging.getLogger(__name__)
_AGAIN = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
_SHOWN = 300  # characters of a server's message


class HttpReply(NamedTuple):
    """What a server said: a status below 500, and its JSON (None where it sent none)."""

    status: int
    body: object

    @property
    def message(self) -> str:
        """Return the server's own words about an error."""
        body = self.body
        for name in ("error", "detail", "message"):
            if isinstance(body, dict) and name in body:
                body = body[name]
        return str(body)[:_SHOWN]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How patient to be.

    Attributes:
        attempts: Tries in all.
        first_wait: Seconds before the second; doubled from try to try.
        longest_wait: Seconds; a server that asks for more is given up.
        timeout: Seconds without a byte of an answer.
    """

    attempts: int
    first_wait: float
    longest_wait: float
    timeout: float

    def wait(self, tries: int, retry_after: float | None) -> float:
        """Return the seconds to wait after ``tries`` tries; noise keeps clients out of step."""
        if retry_after is not None:
            return retry_after
        doubled = min(self.first_wait * 2.0 ** (tries - 1), self.longest_wait)
        return doubled * random.uniform(0.75, 1.0)  # noqa: S311 - nothing secret hangs on it


def seconds_of(header: str | None) -> float | None:
    """Return what ``Retry-After`` says, in seconds from now: a number, or a date."""
    if header is None:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (date - datetime.now(UTC)).total_seconds()) if date.tzinfo else None


class JsonClient:
    """One pool of connections, for as long as it is entered.

    Args:
        base_url: What paths are appended to.
        key: Bearer token, or None; it goes into one header and nowhere else.
        policy: Retries and time-outs.
    """

    def __init__(self, base_url: str, key: str | None, policy: RetryPolicy) -> None:
        self._base_url = base_url
        self._key = key
        self._policy = policy

    async def __aenter__(self) -> Self:
        headers = {} if self._key is None else {"Authorization": f"Bearer {self._key}"}
        self._client = httpx2.AsyncClient(headers=headers, timeout=self._policy.timeout)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    async def post(self, path: str, payload: object) -> HttpReply:
        """Return the answer to ``payload``, after as many tries as it takes.

        Raises:
            BackendError: The server could not be reached or kept failing.
        """
        for tries in range(1, self._policy.attempts + 1):
            reason, after = "", None
            try:
                response = await self._client.post(f"{self._base_url}{path}", json=payload)
            except httpx2.TransportError as error:
                reason = f"{type(error).__name__}: {error}".rstrip(": ")
            else:
                reply = HttpReply(response.status_code, _json_of(response))
                if reply.status < HTTPStatus.INTERNAL_SERVER_ERROR and reply.status not in _AGAIN:
                    return reply._replace(body=self._without_key(reply.body))
                reason = f"HTTP {reply.status}: {reply.message}"
                after = seconds_of(response.headers.get("retry-after"))
            reason = str(self._without_key(reason))
            if after is not None and after > self._policy.longest_wait:
                raise BackendError(
                    f"{self._base_url}{path}: {reason}; the server asks for {after:.0f} s of "
                    f"patience, more than longest_wait={self._policy.longest_wait:.0f}"
                )
            if tries < self._policy.attempts:
                wait = self._policy.wait(tries, after)
                _log.info("%s%s: %s; again in %.1f s", self._base_url, path, reason, wait)
                await asyncio.sleep(wait)
        raise BackendError(
            f"{self._base_url}{path}: gave up after {self._policy.attempts} tries: {reason}; "
            "run the same command to go on once the server is well"
        )

    def _without_key(self, value: object) -> object:
        """Return text without the key, should a server have sent it back."""
        if self._key and isinstance(value, str):
            return value.replace(self._key, "***")
        if self._key and isinstance(value, dict):
            return {name: self._without_key(part) for name, part in value.items()}
        return value


def _json_of(response: httpx2.Response) -> object:
    try:
        return response.json()
    except ValueError:
        return response.text[:_SHOWN] or None
