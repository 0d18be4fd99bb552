"""Fluxes in apertures: ten circles in one sweep, the Kron ellipse, and the sky left around a source."""

import numba
import numpy as np

EXACT_MAX = 12.0  # pix; up to this radius the part of a rim pixel inside is integrated, beyond it is linear in r
N_STRIP = 8
KRON_SIGMA = 6.0  # reach of the first radial moment, in sigma of the source (nSigmaForRadius)
KRON_FACTOR = 2.5  # aperture in Kron radii (nRadiusForFlux)
KRON_LARGEST = 60.0  # pix
KRON_RING = 1.0  # pix to both sides of the aperture's rim, where it is seen how its flux grows
KRON_SLOPE = 0.25  # d ln flux / d ln radius there and how uncertain it is: 0.15 to 0.26 of stars and galaxies


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _inside(dx, dy, radius, strips):
    """Part of the unit pixel at (dx, dy) from the centre that lies inside the circle."""
    r = np.sqrt(dx * dx + dy * dy)
    if strips == 0:
        return min(max(radius - r + 0.5, 0.0), 1.0)
    if r > radius + 0.7072:
        return 0.0
    if r < radius - 0.7072:
        return 1.0
    total = 0.0
    for s in range(strips):
        t = dy - 0.5 + (s + 0.5) / strips
        chord2 = radius * radius - t * t
        if chord2 > 0.0:
            chord = np.sqrt(chord2)
            total += max(min(dx + 0.5, chord) - max(dx - 0.5, -chord), 0.0)
    return total / strips


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def circles(image, variance, x, y, radii, flux, error):
    """Fill flux and error (n_radius,) of the circles about (x, y); NaN where a circle leaves the frame.

    radii : ascending. The whole pixels of a row are summed once, from the smallest circle outwards.
    """
    ny, nx = image.shape
    n_radius = len(radii)
    n_fit = 0
    for k in range(n_radius):
        r = radii[k]
        fits = x - r >= -0.5 and y - r >= -0.5 and x + r <= nx - 0.5 and y + r <= ny - 0.5
        flux[k] = 0.0
        error[k] = 0.0
        if fits:
            n_fit = k + 1
    if n_fit > 0:
        largest = radii[n_fit - 1]
        for j in range(max(0, int(np.floor(y - largest + 0.5))), min(ny, int(np.floor(y + largest + 0.5)) + 1)):
            dy = j - y
            row = np.uintp(j)
            low = int(np.ceil(x))
            high = low - 1
            s = 0.0
            v = 0.0
            for k in range(n_fit):
                r = radii[k]
                near = max(abs(dy) - 0.5, 0.0)
                if near >= r:
                    continue
                far = abs(dy) + 0.5
                if far < r:
                    reach = np.sqrt(r * r - far * far) - 0.5
                    if reach >= 0.0:
                        new_low = int(np.ceil(x - reach))
                        new_high = int(np.floor(x + reach))
                        if new_low <= new_high:
                            if high < low:  # the first whole pixels of this row
                                low = new_low
                                high = new_low - 1
                            # unsigned: numba need not ask whether an index counts from the end, LLVM takes 8 at once
                            for i in range(np.uintp(new_low), np.uintp(low)):
                                s += image[row, i]
                                v += variance[row, i]
                            for i in range(np.uintp(high + 1), np.uintp(new_high + 1)):
                                s += image[row, i]
                                v += variance[row, i]
                            low = new_low
                            high = new_high
                rim = rim_v = 0.0
                reach = np.sqrt(r * r - near * near) + 0.5
                i0 = max(0, int(np.ceil(x - reach)))
                i1 = min(nx - 1, int(np.floor(x + reach)))
                # the rim: left of the whole pixels, then right of them; without such, all
                left = low if high >= low else i1 + 1
                right = high + 1 if high >= low else i1 + 1
                strips = N_STRIP if r <= EXACT_MAX else 0
                for side in range(2):
                    for i in range(i0 if side == 0 else right, left if side == 0 else i1 + 1):
                        part = _inside(i - x, dy, r, strips)
                        rim += part * image[j, i]
                        rim_v += part * part * variance[j, i]
                flux[k] += s + rim
                error[k] += v + rim_v
    for k in range(n_radius):
        error[k] = np.sqrt(error[k]) if k < n_fit else np.nan
        if k >= n_fit:
            flux[k] = np.nan


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _ellipse_sums(image, variance, x, y, a, b, c, scale, limit, ring, sums):
    """Sums over pixels of elliptical radius r = scale * rho below `limit`: of I, r I, V, r V, r^2 V.

    And of I and V where r is within `ring` of the limit. sums: (7,).
    """
    ny, nx = image.shape
    det = a * b - c * c
    reach_x = int(np.ceil((limit + ring) / scale * np.sqrt(b / det))) + 1
    reach_y = int(np.ceil((limit + ring) / scale * np.sqrt(a / det))) + 1
    s0 = s1 = v0 = v1 = v2 = ring_s = ring_v = 0.0
    for j in range(max(0, int(y) - reach_y), min(ny, int(y) + reach_y + 2)):
        dy = j - y
        for i in range(max(0, int(x) - reach_x), min(nx, int(x) + reach_x + 2)):
            dx = i - x
            r = scale * np.sqrt(a * dx * dx + b * dy * dy + 2 * c * dx * dy)
            part = min(max(limit - r + 0.5, 0.0), 1.0)
            if part > 0.0:
                light = part * image[j, i]
                noise = part * part * variance[j, i]
                s0 += light
                s1 += light * r
                v0 += noise
                v1 += noise * r
                v2 += noise * r * r
            if abs(r - limit) < ring:
                ring_s += image[j, i]
                ring_v += variance[j, i]
    sums[0], sums[1], sums[2], sums[3], sums[4], sums[5], sums[6] = s0, s1, v0, v1, v2, ring_s, ring_v


@numba.njit(cache=True, nogil=True, error_model="numpy")
def kron(image, variance, x, y, ixx, iyy, ixy, radius_min, result):
    """Kron (1980) flux: within 2.5 first radial moments, on ellipses of the source's shape.

    result : flux, error, Kron radius [pix] (geometric mean of the axes). Returns False if no radius could be found
    (radius_min, the PSF's own, is used then). The error counts that the radius is a measured one, see README.md.
    """
    sums = np.empty(7)
    det = ixx * iyy - ixy * ixy
    scale = np.sqrt(np.sqrt(det))
    a = iyy / det
    b = ixx / det
    c = -ixy / det
    # cast: numba compiles a callee anew for every constant it is given
    _ellipse_sums(image, variance, x, y, a, b, c, scale, min(KRON_SIGMA * scale, KRON_LARGEST), np.float64(0.0), sums)
    good = sums[0] > 0.0 and sums[1] > 0.0
    radius = sums[1] / sums[0] if good else radius_min
    is_free = radius_min < radius < KRON_LARGEST / KRON_FACTOR
    radius = min(max(radius, radius_min), KRON_LARGEST / KRON_FACTOR)
    whole = sums[0]
    radius_variance = (sums[4] - 2.0 * radius * sums[3] + radius * radius * sums[2]) / (whole * whole)
    limit = KRON_FACTOR * radius
    _ellipse_sums(image, variance, x, y, a, b, c, scale, limit, np.float64(KRON_RING), sums)
    result[0] = sums[0]
    result[2] = radius
    noise = sums[2]
    if is_free and sums[0] > 0.0 and sums[6] > 0.0:  # the rim may lie beyond all sides of a small image
        # what the flux grows by as the aperture does, d ln flux / d ln radius, and one sigma of it
        growth = limit / (2.0 * KRON_RING * sums[0])
        slope = growth * sums[5]
        own, weight = 1.0 / (growth * growth * sums[6]), 1.0 / (KRON_SLOPE * KRON_SLOPE)
        slope = max((slope * own + KRON_SLOPE * weight) / (own + weight), 0.0)
        lean = KRON_FACTOR * slope * sums[0] / limit
        noise += 2.0 * lean * (sums[3] - radius * sums[2]) / whole + lean * lean * radius_variance
    result[1] = np.sqrt(max(noise, 0.0))
    return good


@numba.njit(cache=True, nogil=True, error_model="numpy")
def annulus(image, mask, bad, basin, x, y, inner, outer, values, result):
    """Clipped mean (3 sigma, 3 times) of the free pixels in a ring; NaN with fewer than 20. values: workspace.

    result : result[0] becomes the error of the mean.
    """
    ny, nx = image.shape
    n = 0
    for j in range(max(0, int(y - outer)), min(ny, int(y + outer) + 2)):
        dy2 = (j - y) ** 2
        for i in range(max(0, int(x - outer)), min(nx, int(x + outer) + 2)):
            r2 = dy2 + (i - x) ** 2
            if inner * inner <= r2 <= outer * outer and basin[j, i] < 0 and mask[j, i] & bad == 0 and n < len(values):
                values[n] = image[j, i]
                n += 1
    result[0] = np.nan
    if n < 20:
        return np.nan
    center = 0.0
    low = -np.inf
    high = np.inf
    for _ in range(4):
        s = 0.0
        s2 = 0.0
        m = 0
        for k in range(n):
            if low <= values[k] <= high:
                s += values[k]
                s2 += values[k] * values[k]
                m += 1
        if m < 10:
            break
        center = s / m
        spread = np.sqrt(max(s2 / m - center * center, 0.0))
        result[0] = spread / np.sqrt(m)
        low = center - 3.0 * spread
        high = center + 3.0 * spread
    return center
