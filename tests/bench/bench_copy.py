"""Bulk load of 60 columns (as `source` has) by hscdb.db.copy, with and without NULL, beside the server's floor.

The floor is COPY of the same bytes, encoded beforehand: what remains when the client costs nothing.
Prints the environment and one JSON line per case, best of n: rows per CPU second of client and server together, and the
ratio of the clock besides, of which a busy machine makes little sense. The
last case has the indexes of `source`: one on three whole numbers, one on a single one; both sides have them.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable

import meter
import numpy as np
from sqlalchemy import Engine, text

from hscdb.db import copy, encode, engine
from hscdb.db.engine import driver
from hscdb.db.server import Server

KINDS = [("bigint", "i8", 2), ("integer", "i4", 4), ("smallint", "i2", 2), ("double precision", "f8", 22),
         ("real", "f4", 24), ("boolean", "?", 6)]  # fmt: skip


def make(n_row: int, nan_fraction: float) -> tuple[np.ndarray, list[str]]:
    """The array and the types of its columns."""
    rng = np.random.default_rng(1)
    fields = [(f"c{i}", dtype, kind) for i, (kind, dtype) in enumerate((k, d) for k, d, n in KINDS for _ in range(n))]
    array = np.zeros(n_row, dtype=[(name, dtype) for name, dtype, _ in fields])
    for name, dtype, _ in fields:
        column = rng.integers(0, 2, n_row) if dtype == "?" else rng.normal(0, 1000, n_row)
        if dtype[0] == "f":
            column = np.where(rng.random(n_row) < nan_fraction, np.nan, column)
        array[name] = column
    return array, [kind for _, _, kind in fields]


def best(repeat: int, target: Engine, table: str, loads: list[Callable[..., object]]) -> list[tuple[float, float]]:
    """(CPU seconds, seconds of the clock) of the best of `repeat` runs of each load, in turns, that all may meet the
    same disturbances; each in a transaction of its own on an emptied table."""
    found = [(np.inf, np.inf)] * len(loads)
    for _ in range(repeat):
        for index, load in enumerate(loads):
            with target.begin() as connection:
                connection.execute(text(f"TRUNCATE {table}"))
            with target.begin() as connection:
                start, clock = meter.spent_s(driver(connection)), time.perf_counter()
                load(connection)
                clock = time.perf_counter() - clock
                found[index] = (
                    min(found[index][0], meter.spent_s(driver(connection)) - start),
                    min(found[index][1], clock),
                )
    return found


def main() -> None:
    """Run all cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--repeat", type=int, default=4)
    args = parser.parse_args()
    print(f"# {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, numpy {np.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        server = Server(folder)
        target = engine.connect(server.start())
        try:
            cases = (("no NULL", 0.0), ("1 % NULL", 0.01), ("20 % NULL", 0.2), ("1 % NULL, indexes", 0.01))
            for label, fraction in cases:
                array, kinds = make(args.rows, fraction)
                names = array.dtype.names or ()
                with target.begin() as connection:
                    connection.execute(text("DROP TABLE IF EXISTS bulk"))
                    body = ", ".join(f"{name} {kind}" for name, kind in zip(names, kinds, strict=True))
                    connection.execute(text(f"CREATE TABLE bulk ({body})"))
                    if "indexes" in label:
                        connection.execute(text("CREATE INDEX ON bulk (c2, c3, c0)"))
                        connection.execute(text("CREATE INDEX ON bulk (c4)"))
                list(encode.stream(array[:1], kinds, {}).chunks())  # machine code is loaded
                start = meter.spent_s()
                stream = [bytes(chunk) for chunk in encode.stream(array, kinds, {}).chunks()]
                encoding = meter.spent_s() - start

                def floor(connection, stream=stream):
                    with driver(connection).cursor().copy("COPY bulk FROM STDIN (FORMAT binary)") as out:
                        for chunk in stream:
                            out.write(chunk)

                (cost, clock), (bare, bare_clock) = best(
                    args.repeat, target, "bulk", [lambda c, array=array: copy.write(c, "bulk", array), floor]
                )
                case = {"case": label, "n_row": args.rows, "n_column": 60, "krow_cpu_s": args.rows / cost / 1e3,
                        "floor_krow_cpu_s": args.rows / bare / 1e3, "ratio": bare / cost,
                        "ratio_of_the_clock": bare_clock / clock, "krow_s": args.rows / clock / 1e3,
                        "encode_krow_cpu_s": args.rows / encoding / 1e3, "peak_mb": meter.peak_mb()}  # fmt: skip
                print(json.dumps({k: round(v, 3) if isinstance(v, float) else v for k, v in case.items()}))
        finally:
            target.dispose()
            server.remove()


if __name__ == "__main__":
    main()
