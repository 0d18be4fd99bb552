"""The records of PostgreSQL's binary COPY, written by one pass over the bytes of structured arrays."""

import numpy as np
import numpy.typing as npt
from numba import njit

# Kinds of columns, the first number of each line of a plan.
WHOLE, FLOAT, MARKED, READY, TEXT = range(5)

Bytes = npt.NDArray[np.uint8]
_U8, _U4, _U1 = np.uint64(8), np.uint64(4), np.uint64(1)


@njit(cache=True, nogil=True)
def _take(source: Bytes, at: np.uint64, width: np.uint64) -> np.uint64:
    """A number as it lies in the memory of a little-endian machine."""
    number = np.uint64(0)
    for k in range(width):
        number |= np.uint64(source[at + np.uint64(k)]) << np.uint64(8 * k)
    return number


@njit(cache=True, nogil=True)
def _put(out: Bytes, at: np.uint64, number: np.uint64, width: np.uint64) -> np.uint64:
    """Write the low bytes of a number, the highest first; returns the place behind them."""
    for k in range(width):
        out[at + np.uint64(k)] = np.uint8((number >> (_U8 * (width - _U1 - np.uint64(k)))) & np.uint64(255))
    return at + width


@njit(cache=True, nogil=True)
def write(
    source: Bytes, stride: int, side: Bytes, side_stride: int, plan: npt.NDArray[np.int64], n_row: int, out: Bytes
) -> int:
    """Write n_row records to `out`; returns the number of bytes.

    source, side : bytes of n_row rows of `stride` and `side_stride` bytes: little-endian numbers as an array holds
                   them, and what was prepared, each after a byte that tells whether it is NULL.
    plan         : (n_column, 4) int64: kind, place in the row, width [byte], number that means NULL. Of `source` are
                   WHOLE numbers and booleans, FLOAT (NaN is NULL), MARKED (that number is NULL); of `side` are READY
                   bytes as they are sent, and TEXT without its trailing zeros.
    out          : room for 2 + sum(4 + width) bytes for each row.

    A record is the number of fields in two bytes, then each field as its length in four and its bytes; the length
    is -1 and there are no bytes for NULL. Places are unsigned, so that no negative index needs to be looked for: six
    times as fast.
    """
    at = np.uint64(0)
    for row in range(n_row):
        at = _put(out, at, np.uint64(len(plan)), np.uint64(2))
        for column in range(len(plan)):
            kind, width = plan[column, 0], np.uint64(plan[column, 2])
            if kind <= MARKED:
                begin = np.uint64(row * stride + plan[column, 1])
                if width == _U8:
                    number = _take(source, begin, _U8)
                    is_null = kind == FLOAT and number << _U1 > np.uint64(0xFFE0000000000000)
                elif width == _U4:
                    number = _take(source, begin, _U4)
                    is_null = kind == FLOAT and number & np.uint64(0x7FFFFFFF) > np.uint64(0x7F800000)
                else:
                    number = _take(source, begin, width)
                    is_null = False
                if is_null or (kind == MARKED and number == np.uint64(plan[column, 3])):
                    at = _put(out, at, np.uint64(0xFFFFFFFF), _U4)
                elif width == _U8:
                    at = _put(out, _put(out, at, _U8, _U4), number, _U8)
                elif width == _U4:
                    at = _put(out, _put(out, at, _U4, _U4), number, _U4)
                else:
                    at = _put(out, _put(out, at, width, _U4), number, width)
                continue
            begin = np.uint64(row * side_stride + plan[column, 1])
            if side[begin]:
                at = _put(out, at, np.uint64(0xFFFFFFFF), _U4)
                continue
            if kind == TEXT:
                while width > np.uint64(0) and side[begin + width] == 0:
                    width -= _U1
            at = _put(out, at, width, _U4)
            for k in range(width):
                out[at + np.uint64(k)] = side[begin + _U1 + np.uint64(k)]
            at += width
    return int(at)
