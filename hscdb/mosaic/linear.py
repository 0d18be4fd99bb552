"""The observation equations of the astrometric fit, compiled: one loop over detections or stars each.

At millions of detections nothing but these loops sees them all more than a few times, and none leaves an array of
its own behind.
"""

import numpy as np
from numba import njit

from hscdb.mosaic import ccdterms

_MAS = 180.0 * 3600.0 * 1000.0 / np.pi
_RAD = np.pi / 180.0


@njit(cache=True, nogil=True)
def linearize(
    order, visit, ccd, star, field_x, field_y, jacobian, lever, scale, coefficients, ccd_terms, field, plane, place,
    axes, pm, parallax, star_epoch, epoch, earth, x, y, offset, turn, plate,
):  # fmt: skip
    """Fill x, y (n_obs,), offset (n_obs, 2), turn and plate (n_obs, 2, 2) at the present place of everything.

    visit, ccd, star : (n_obs,) indices.    field_x, field_y, jacobian, lever, scale : as in model.Geometry.
    coefficients : (n_visit, 2, n_terms) [deg]; ccd_terms (n_ccd, n) of ccdterms.py.
    field        : (n_obs, 2) taken off xi, eta [deg]; of no rows: nothing is.
    plane        : (n_visit, 3, 3) unit vectors centre, east, north; place (n_star, 3), axes (n_star, 2, 3) of stars.
    pm           : (n_star, 2) [mas/yr] since star_epoch (n_star,); epoch (n_visit,) [MJD].
    parallax     : (n_star,) [mas]; earth (n_visit, 3) [au].

    x, y   : arguments of the Chebyshev basis.    offset : model minus star, east and north of the star [mas].
    turn   : d(east, north)/d(xi, eta).           plate  : d(east, north)/d(u, v) [mas/pix].
    """
    t, s = np.empty((2, order + 1)), np.empty((2, order + 1))
    slope = np.empty((2, 2))
    unit = _RAD * _MAS / scale
    for k in range(x.size):
        e, i = visit[k], star[k]
        du, dv = ccdterms.moved(ccd_terms[ccd[k]], lever[k, 0], lever[k, 1])
        x[k] = (field_x[k] + jacobian[k, 0, 0] * du + jacobian[k, 0, 1] * dv) / scale
        y[k] = (field_y[k] + jacobian[k, 1, 0] * du + jacobian[k, 1, 1] * dv) / scale
        _chebyshev(order, x[k], t[0], s[0])
        _chebyshev(order, y[k], t[1], s[1])
        model0, model1 = 0.0, 0.0
        slope[:] = 0.0
        j = 0
        for p in range(order + 1):
            for q in range(order + 1 - p):
                a, b = coefficients[e, 0, j], coefficients[e, 1, j]
                j += 1
                whole, along_x, along_y = t[0, p] * t[1, q], s[0, p] * t[1, q], t[0, p] * s[1, q]
                model0 += a * whole
                model1 += b * whole
                slope[0, 0] += a * along_x
                slope[0, 1] += a * along_y
                slope[1, 0] += b * along_x
                slope[1, 1] += b * along_y
        if field.shape[0] > 0:
            model0 -= field[k, 0]
            model1 -= field[k, 1]
        years = (epoch[e] - star_epoch[i]) / 365.25
        east_off, north_off = pm[i, 0] * years / _MAS, pm[i, 1] * years / _MAS
        for m in range(3):
            east_off -= parallax[i] * earth[e, m] * axes[i, 0, m] / _MAS
            north_off -= parallax[i] * earth[e, m] * axes[i, 1, m] / _MAS
        depth = along = up = ec = ee = en = nc = ne = nn = 0.0
        for m in range(3):
            one, other = axes[i, 0, m], axes[i, 1, m]
            moved = place[i, m] + east_off * one + north_off * other
            depth += moved * plane[e, 0, m]
            along += moved * plane[e, 1, m]
            up += moved * plane[e, 2, m]
            ec += one * plane[e, 0, m]
            ee += one * plane[e, 1, m]
            en += one * plane[e, 2, m]
            nc += other * plane[e, 0, m]
            ne += other * plane[e, 1, m]
            nn += other * plane[e, 2, m]
        xi, eta = along / depth, up / depth
        # d(xi, eta)/d(east, north of the star), then its inverse
        a00, a01 = (ee - xi * ec) / depth, (ne - xi * nc) / depth
        a10, a11 = (en - eta * ec) / depth, (nn - eta * nc) / depth
        det = a00 * a11 - a01 * a10
        t00, t01, t10, t11 = a11 / det, -a01 / det, -a10 / det, a00 / det
        turn[k, 0, 0], turn[k, 0, 1], turn[k, 1, 0], turn[k, 1, 1] = t00, t01, t10, t11
        miss0, miss1 = (model0 * _RAD - xi) * _MAS, (model1 * _RAD - eta) * _MAS
        offset[k, 0], offset[k, 1] = t00 * miss0 + t01 * miss1, t10 * miss0 + t11 * miss1
        for m in range(2):
            g0 = (slope[0, 0] * jacobian[k, 0, m] + slope[0, 1] * jacobian[k, 1, m]) * unit
            g1 = (slope[1, 0] * jacobian[k, 0, m] + slope[1, 1] * jacobian[k, 1, m]) * unit
            plate[k, 0, m], plate[k, 1, m] = t00 * g0 + t01 * g1, t10 * g0 + t11 * g1


@njit(cache=True, nogil=True)
def _chebyshev(order, x, t, slope):
    """T_n(x) and T_n'(x) for n = 0..order."""
    t[0], slope[0] = 1.0, 0.0
    if order > 0:
        t[1], slope[1] = x, 1.0
    for n in range(2, order + 1):
        t[n] = 2.0 * x * t[n - 1] - t[n - 2]
        slope[n] = 2.0 * t[n - 1] + 2.0 * x * slope[n - 1] - slope[n - 2]


@njit(cache=True, nogil=True)
def areas(
    order, visit, ccd, field_x, field_y, jacobian, lever, scale, coefficients, ccd_terms, own_order, own, half, out
):  # fmt: skip
    """Pixel areas on the sphere [deg^2] into out (n_obs,); arguments as of `linearize`.

    own, half : (n_visit, n_ccd, 2, n_own_terms) field of each frame, of order own_order, taken off xi, eta [deg], and
                (n_ccd, 2) half sizes of the CCDs [pix]; of no rows: none.
    """
    most = max(order, own_order) + 1
    t, s = np.empty((2, most)), np.empty((2, most))
    for k in range(out.size):
        e, c = visit[k], ccd[k]
        du, dv = ccdterms.moved(ccd_terms[c], lever[k, 0], lever[k, 1])
        own_area = ccdterms.area_factor(ccd_terms[c], lever[k, 0], lever[k, 1])
        j00, j01, j10, j11 = jacobian[k, 0, 0], jacobian[k, 0, 1], jacobian[k, 1, 0], jacobian[k, 1, 1]
        _chebyshev(order, (field_x[k] + j00 * du + j01 * dv) / scale, t[0], s[0])
        _chebyshev(order, (field_y[k] + j10 * du + j11 * dv) / scale, t[1], s[1])
        xi, xi_x, xi_y = _value_and_slopes(order, coefficients[e, 0], t, s)
        eta, eta_x, eta_y = _value_and_slopes(order, coefficients[e, 1], t, s)
        xi_u, xi_v = (xi_x * j00 + xi_y * j10) / scale, (xi_x * j01 + xi_y * j11) / scale
        eta_u, eta_v = (eta_x * j00 + eta_y * j10) / scale, (eta_x * j01 + eta_y * j11) / scale
        if half.shape[0] > 0:
            _chebyshev(own_order, lever[k, 0] / half[c, 0], t[0], s[0])
            _chebyshev(own_order, lever[k, 1] / half[c, 1], t[1], s[1])
            _, x, y = _value_and_slopes(own_order, own[e, c, 0], t, s)
            xi_u, xi_v = xi_u - x / half[c, 0], xi_v - y / half[c, 1]
            _, x, y = _value_and_slopes(own_order, own[e, c, 1], t, s)
            eta_u, eta_v = eta_u - x / half[c, 0], eta_v - y / half[c, 1]
        rho2 = (xi * xi + eta * eta) * _RAD * _RAD
        out[k] = own_area * abs(xi_u * eta_v - xi_v * eta_u) / (1.0 + rho2) ** 1.5


@njit(cache=True, nogil=True)
def _value_and_slopes(order, a, t, s):
    """sum a_j T_p(x) T_q(y) and its derivatives along x and y; t, s (2, order + 1) of `_chebyshev`."""
    whole = along_x = along_y = 0.0
    j = 0
    for p in range(order + 1):
        for q in range(order + 1 - p):
            whole += a[j] * t[0, p] * t[1, q]
            along_x += a[j] * s[0, p] * t[1, q]
            along_y += a[j] * t[0, p] * s[1, q]
            j += 1
    return whole, along_x, along_y


@njit(cache=True, nogil=True)
def covariance(plate, rotation, ccd, given, out):
    """Covariance of the detections on the sky [mas^2] into out (n_obs, 3).

    rotation : (n_ccd, 2, 2) from the axes of a CCD to u, v; given (n_obs, 3) of the pixels xx, xy, yy [pix^2].
    """
    for k in range(out.shape[0]):
        r = rotation[ccd[k]]
        m00 = plate[k, 0, 0] * r[0, 0] + plate[k, 0, 1] * r[1, 0]
        m01 = plate[k, 0, 0] * r[0, 1] + plate[k, 0, 1] * r[1, 1]
        m10 = plate[k, 1, 0] * r[0, 0] + plate[k, 1, 1] * r[1, 0]
        m11 = plate[k, 1, 0] * r[0, 1] + plate[k, 1, 1] * r[1, 1]
        cx, cxy, cy = given[k, 0], given[k, 1], given[k, 2]
        out[k, 0] = m00 * m00 * cx + 2.0 * m00 * m01 * cxy + m01 * m01 * cy
        out[k, 1] = m00 * m10 * cx + (m00 * m11 + m01 * m10) * cxy + m01 * m11 * cy
        out[k, 2] = m10 * m10 * cx + 2.0 * m10 * m11 * cxy + m11 * m11 * cy


@njit(cache=True, nogil=True)
def weights(given, scale2, floor2, visit, out):
    """Inverses of scale2 given + floor2[visit] into out (n_obs, 3); given (n_obs, 3) [mas^2]."""
    for k in range(out.shape[0]):
        c00, c01 = scale2 * given[k, 0] + floor2[visit[k]], scale2 * given[k, 1]
        c11 = scale2 * given[k, 2] + floor2[visit[k]]
        det = c00 * c11 - c01 * c01
        out[k, 0], out[k, 1], out[k, 2] = c11 / det, -c01 / det, c00 / det


@njit(cache=True, nogil=True)
def star_means(start, weight, use, offset, ref_weight, ref_offset, shift, spread):
    """Best shift (n_star, 2) of each star [mas] and its covariance (n_star, 3) [mas^2]: 0 and NaN without weight.

    start : (n_star + 1,) first detection of each star; weight (n_obs, 3) inverse covariances, times use (n_obs,).
    ref_weight, ref_offset : (n_star, 3), (n_star, 2) the same of the references.
    """
    for s in range(start.size - 1):
        w00, w01, w11 = ref_weight[s, 0], ref_weight[s, 1], ref_weight[s, 2]
        p0 = w00 * ref_offset[s, 0] + w01 * ref_offset[s, 1]
        p1 = w01 * ref_offset[s, 0] + w11 * ref_offset[s, 1]
        for k in range(start[s], start[s + 1]):
            if use[k] == 0.0:
                continue
            a, b, c = use[k] * weight[k, 0], use[k] * weight[k, 1], use[k] * weight[k, 2]
            w00 += a
            w01 += b
            w11 += c
            p0 += a * offset[k, 0] + b * offset[k, 1]
            p1 += b * offset[k, 0] + c * offset[k, 1]
        shift[s, 0], shift[s, 1] = 0.0, 0.0
        spread[s, 0], spread[s, 1], spread[s, 2] = np.nan, np.nan, np.nan
        if w00 > 0.0:
            det = w00 * w11 - w01 * w01
            spread[s, 0], spread[s, 1], spread[s, 2] = w11 / det, -w01 / det, w00 / det
            shift[s, 0] = spread[s, 0] * p0 + spread[s, 1] * p1
            shift[s, 1] = spread[s, 1] * p0 + spread[s, 2] * p1


@njit(cache=True, nogil=True)
def fastest(one, other, may):
    """Largest component by which the detections of `may` differ in one and other (n_obs, 2)."""
    most = 0.0
    for k in range(may.size):
        if may[k]:
            most = max(most, abs(one[k, 0] - other[k, 0]), abs(one[k, 1] - other[k, 1]))
    return most


@njit(cache=True, nogil=True)
def turned_back(turn, offset):
    """(n_obs, 2) what turn (n_obs, 2, 2) makes offset (n_obs, 2) of."""
    out = np.empty_like(offset)
    for k in range(len(out)):
        a, b, c, d = turn[k, 0, 0], turn[k, 0, 1], turn[k, 1, 0], turn[k, 1, 1]
        det = a * d - b * c
        out[k, 0] = (d * offset[k, 0] - b * offset[k, 1]) / det
        out[k, 1] = (a * offset[k, 1] - c * offset[k, 0]) / det
    return out
