"""Retries: after which failures, how many, and with what pauses."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentaudio.errors import NetworkError, RefusedAddress, ServiceUnavailable, ToolError
from agentaudio.retry import pause_s, retry


class Attempts:
    """Fails with each of the errors in turn, then succeeds."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self.made = 0

    async def __call__(self) -> str:
        self.made += 1
        if self._errors:
            raise self._errors.pop(0)
        return "done"


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("agentaudio.retry.asyncio.sleep", sleep)
    yield slept


def run(attempts: Attempts, retries: int = 2, longest_pause_s: float = 2.0) -> str:
    return asyncio.run(retry(attempts, retries=retries, longest_pause_s=longest_pause_s, label="a test"))


def test_success_is_not_retried(pauses: list[float]) -> None:
    attempts = Attempts()
    assert run(attempts) == "done" and attempts.made == 1 and pauses == []


@pytest.mark.parametrize("error", [ValueError("x"), OSError("x"), ServiceUnavailable("x")])
def test_temporary_failures_are_retried_with_growing_pauses(error: Exception, pauses: list[float]) -> None:
    attempts = Attempts(error, error)
    assert run(attempts) == "done" and attempts.made == 3
    assert 0.05 <= pauses[0] <= 0.1 and 0.1 <= pauses[1] <= 0.2


def test_the_last_failure_is_raised(pauses: list[float]) -> None:
    attempts = Attempts(ValueError("1"), ValueError("2"), ValueError("3"), ValueError("4"))
    with pytest.raises(ValueError, match="3"):
        run(attempts)
    assert attempts.made == 3 and len(pauses) == 2
    with pytest.raises(ValueError, match="4"):
        run(attempts, retries=0)
    assert len(pauses) == 2


@pytest.mark.parametrize("error", [ToolError("x"), NetworkError("x"), RefusedAddress("x")])
def test_deliberate_errors_are_not_retried(error: Exception, pauses: list[float]) -> None:
    attempts = Attempts(error)
    with pytest.raises(type(error)):
        run(attempts)
    assert attempts.made == 1 and pauses == []


def test_cancellation_is_not_retried(pauses: list[float]) -> None:
    async def cancelled() -> str:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(retry(cancelled, retries=2, label="a test"))
    assert pauses == []


@pytest.mark.parametrize("seconds", [0.0, 1.5, 2.0])
def test_the_pause_that_a_service_requests_is_kept(seconds: float, pauses: list[float]) -> None:
    assert run(Attempts(ServiceUnavailable("busy", seconds))) == "done" and pauses == [seconds]


def test_pauses_are_at_most_two_seconds_by_default(pauses: list[float]) -> None:
    async def busy(seconds: float) -> str:
        return await retry(Attempts(ServiceUnavailable("busy", seconds)), retries=1, label="a test")

    assert asyncio.run(busy(2.0)) == "done"
    with pytest.raises(ServiceUnavailable):
        asyncio.run(busy(2.01))


def test_a_service_that_requests_too_long_a_pause_is_not_retried(pauses: list[float]) -> None:
    attempts = Attempts(ServiceUnavailable("busy", 2.1))
    with pytest.raises(ServiceUnavailable, match="busy"):
        run(attempts)
    assert attempts.made == 1 and pauses == []


@given(st.integers(1, 10_000), st.floats(0.01, 10), st.floats(0.01, 1_000))
def test_pauses_double_up_to_the_longest(failures: int, first_s: float, longest_s: float) -> None:
    expected = min(longest_s, first_s * 2.0 ** min(failures - 1, 64))
    assert expected / 2 <= pause_s(failures, first_s=first_s, longest_s=longest_s) <= expected


def test_pauses_vary_between_clients() -> None:
    assert len({pause_s(3, first_s=1, longest_s=60) for _ in range(20)}) > 10
