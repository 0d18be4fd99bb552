"""Conjugate gradients with a preconditioner, for one or many right sides.

Source: Hestenes & Stiefel 1952, J. Res. NBS 49, 409.
"""

from collections.abc import Callable

import numpy as np

from hscdb.mosaic.model import Floats


def solve(
    product: Callable[[Floats], Floats], near: Callable[[Floats], Floats], right: Floats, tolerance: float, n_most: int
) -> tuple[Floats, int]:
    """Answers (n, m) of H x = right (n, m), and how many products with H it took.

    product, near : H v and M^-1 v of v (n, m), M an approximation of H.
    tolerance     : of each right side, in the norm of M^-1, that is left; at most n_most products are made.
    """
    answer, left = np.zeros(right.shape), right
    along = z = near(left)
    size = np.einsum("ij,ij->j", left, z)
    least = tolerance**2 * size
    for n_step in range(n_most):
        if (size <= least).all():
            return answer, n_step
        h = product(along)
        length = size / np.maximum(np.einsum("ij,ij->j", along, h), 1e-300)
        answer, left = answer + length * along, left - length * h
        z = near(left)
        before, size = size, np.einsum("ij,ij->j", left, z)
        along = z + size / np.maximum(before, 1e-300) * along
    return answer, n_most
