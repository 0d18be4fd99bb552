"""C's functions by HSC-SSP's names: what C answers, in every corner, where PostgreSQL would raise an error."""

import math

import numpy as np
import pytest
from sqlalchemy import Connection, text

CORNERS = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, -3.0, 710.0, -746.0, 1e-30, 1e200, -1e200,
           1.7e308, -1.7e308, 1e-200, 5e-324, float("inf"), float("-inf"), float("nan")]  # fmt: skip
ONE = {"sqrt": np.sqrt, "exp": np.exp, "log": np.log, "log10": np.log10, "sin": np.sin, "cos": np.cos}
TWO = {"multiply": np.multiply, "divide": np.divide, "pow": np.power}


def answers(connection: Connection, call: str, x: np.ndarray, y: np.ndarray | None = None) -> list[float]:
    """The function of each x (and y), in order."""
    words = {"x": x.tolist(), "y": (x if y is None else y).tolist()}
    rows = "unnest(CAST(:x AS float8[]), CAST(:y AS float8[])) WITH ORDINALITY AS t(x, y, n)"
    return [row[0] for row in connection.execute(text(f"SELECT {call} FROM {rows} ORDER BY n"), words)]


@pytest.mark.parametrize("name", ONE)
def test_a_function_of_one_number(connection: Connection, name: str) -> None:
    x = np.concatenate([CORNERS, np.random.default_rng(1).normal(0, 30, 200)])
    with np.errstate(all="ignore"):
        wanted = ONE[name](x)
    np.testing.assert_allclose(answers(connection, f"c_{name}(x)", x), wanted, rtol=1e-14, atol=1e-320)


@pytest.mark.parametrize("name", TWO)
def test_a_function_of_two_numbers(connection: Connection, name: str) -> None:
    x, y = (axis.ravel() for axis in np.meshgrid(CORNERS, CORNERS))
    rng = np.random.default_rng(2)
    x, y = (
        np.append(x, rng.normal(0, 1, 300) * 10.0 ** rng.uniform(-160, 160, 300)),
        np.append(y, rng.normal(0, 3, 300)),
    )
    x, y = np.append(x, y[-300:] * 1e200), np.append(y, x[-300:])
    with np.errstate(all="ignore"):
        wanted = TWO[name](x, y)
    found = np.array(answers(connection, f"c_{name}(x, y)", x, y))
    huge = np.isinf(wanted) | np.isinf(found)
    np.testing.assert_array_equal(found[huge], wanted[huge])
    np.testing.assert_allclose(found[~huge], wanted[~huge], rtol=1e-12, atol=1e-320)


def test_kinds_of_numbers_and_nothing(connection: Connection) -> None:
    for name in ("isfinite", "isinf", "isnan"):
        assert answers(connection, f"c_{name}(x)", np.array(CORNERS)) == [getattr(math, name)(x) for x in CORNERS]
    calls = [f"c_{name}(NULL)" for name in (*ONE, "isfinite", "isinf", "isnan", "log10f", "sqrtf")]
    calls += [f"c_{name}(NULL, 1)" for name in ("multiply", "divide", "powf")] + ["c_divide(1, NULL)", "c_pow(2, NULL)"]
    assert list(connection.exec_driver_sql(f"SELECT {', '.join(calls)}").one()) == [None] * len(calls)


def test_reals_are_infinite_and_zero_beyond_what_they_hold(connection: Connection) -> None:
    x = np.array([10.0, 10.0, -10.0, 2.0, 0.0, 10.0], np.float32)
    y = np.array([39.0, -46.0, 39.0, 0.5, -1.0, 38.0], np.float32)
    with np.errstate(all="ignore"):
        wanted = np.power(x, y)
    np.testing.assert_allclose(
        answers(connection, "c_powf(x::real, y::real)".replace("::", "\\:\\:"), x, y), wanted, rtol=1e-6
    )
    reals = answers(connection, "c_log10f(CAST(x AS real))", np.array([0.0, -1.0, 1e-30, np.inf, 3e38]))
    np.testing.assert_allclose(reals, [-np.inf, np.nan, -30.0, np.inf, 38.4771213], rtol=1e-6)
    assert connection.exec_driver_sql("SELECT c_sqrtf(-1::real), c_sqrtf(2::real)").one()[1] == np.float32(math.sqrt(2))
