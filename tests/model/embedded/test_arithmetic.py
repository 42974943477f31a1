"""Arithmetic in the words of a request."""

import pytest

from agentaudio.model.embedded.routing.arithmetic import expression


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("what is seventeen times twenty three", "17*23"),
        ("fifteen percent of eighty", "15/100*80"),
        ("the square root of two plus one", "sqrt(2)+1"),
        ("nine squared", "9**2"),
        ("subtract five from nine", "9-5"),
        ("add nineteen and twenty three", "19+23"),
        ("divide one hundred forty four by twelve", "144/12"),
        ("two to the power of ten", "2**10"),
        ("half of ninety", "1/2*90"),
        ("17 * 23", "17*23"),
        ("a table for two at six thirty", None),
        ("eleven", None),
        ("hello", None),
    ],
)
def test_spoken_arithmetic_becomes_an_expression(said: str, written: str | None) -> None:
    assert expression(said.split()) == written
