"""Directions, tangent planes, TAN-SIP and pixel numbers."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st

from hscdb.errors import DataError, InputError
from hscdb.sky import ipix, polynomial, sphere, wcs
from hscdb.sky.wcs import Wcs

SCALE = 0.168 / 3600.0
PLACES = [(150.0, 2.0), (0.001, -30.0), (359.9999, 60.0), (10.0, 89.95), (33.0, 90.0), (200.0, -90.0)]


def sip(crval: tuple[float, float], crpix: tuple[float, float] = (-5000.0, 9000.0), order: int = 4) -> Wcs:
    """A WCS with about the distortion of HSC, 7 pix 20 arcmin off the axis."""
    rng = np.random.default_rng(3)
    p, q = polynomial.exponents(order)
    a, b = np.zeros((2, order + 1, order + 1))
    size = np.where(p + q >= 2, 30.0 / 9000.0 ** (p + q), 0.0)
    a[p, q], b[p, q] = size * rng.normal(size=(2, len(p)))
    return Wcs(crval, crpix, [[-SCALE, 1e-7], [2e-7, SCALE]], a, b)


def header(w: Wcs) -> fits.Header:
    """FITS cards (1-based), written independently of the program's own."""
    cards = fits.Header()
    cards["CTYPE1"], cards["CTYPE2"] = "RA---TAN-SIP", "DEC--TAN-SIP"
    cards["CRVAL1"], cards["CRVAL2"] = w.crval
    cards["CRPIX1"], cards["CRPIX2"] = w.crpix[0] + 1.0, w.crpix[1] + 1.0
    cards["LONPOLE"] = 180.0
    for i in range(2):
        for j in range(2):
            cards[f"CD{i + 1}_{j + 1}"] = w.cd[i, j]
    cards["A_ORDER"] = cards["B_ORDER"] = w.order
    for p, q in zip(*polynomial.exponents(w.order), strict=True):
        if p + q >= 2:
            cards[f"A_{p}_{q}"], cards[f"B_{p}_{q}"] = w.a[p, q], w.b[p, q]
    return cards


def pixels(n: int = 500) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    return rng.uniform(-0.5, 2047.5, n), rng.uniform(-0.5, 4175.5, n)


@pytest.mark.parametrize("crval", PLACES)
def test_pixels_to_sky_and_back_agree_with_astropy(crval: tuple[float, float]) -> None:
    w = sip(crval)
    x, y = pixels()
    ra, dec = w.pixel_to_sky(x, y)
    expected = WCS(header(w)).all_pix2world(x, y, 0)
    assert sphere.separation(ra, dec, *expected).max() < 1e-9
    assert ((ra >= 0.0) & (ra < 360.0)).all()
    # 1e-10 pix is the iteration's; RA itself is rounded to 6e-14 deg = 1.2e-9 pix.
    np.testing.assert_allclose(w.sky_to_pixel(ra, dec), [x, y], rtol=0, atol=3e-9)


def test_the_inverse_holds_its_1e_10_pix_in_the_plane() -> None:
    w = sip((150.0, 2.0), (1000.0, 2000.0))
    x, y = pixels()
    np.testing.assert_allclose(w.plane_to_pixel(*w.pixel_to_plane(x, y)), [x, y], rtol=0, atol=1e-10)


def test_far_off_the_frame_the_inverse_is_right_or_nan() -> None:
    w = sip((150.0, 2.0), (1000.0, 2000.0))
    rng = np.random.default_rng(5)
    ra, dec = sphere.offset(150.0, 2.0, rng.uniform(0, 360, 400), rng.uniform(0, 180, 400))
    x, y = w.sky_to_pixel(ra, dec)
    found = np.isfinite(x)
    away = sphere.separation(ra, dec, 150.0, 2.0)
    assert not found[away >= 90.0].any()
    assert sphere.separation(*w.pixel_to_sky(x[found], y[found]), ra[found], dec[found]).max() < 1e-9
    near = sphere.offset(150.0, 2.0, rng.uniform(0, 360, 100), rng.uniform(0, 0.4, 100))
    assert np.isfinite(w.sky_to_pixel(*near)).all()
    assert np.isnan(w.sky_to_pixel(np.nan, 0.0)).all()


def test_a_folded_distortion_has_no_inverse_beyond_its_fold() -> None:
    # u + A(u) = u - u^2 / 4000 turns at u = 2000, where it is 1000.
    a = np.zeros((3, 3))
    a[2, 0] = -1.0 / 4000.0
    w = Wcs((10.0, 0.0), (0.0, 0.0), [[SCALE, 0], [0, SCALE]], a, np.zeros((3, 3)))
    x, _ = w.plane_to_pixel(np.array([999.0, 1001.0, 750.0]) * SCALE, np.zeros(3))
    np.testing.assert_allclose(x[[0, 2]], [2000.0 - np.sqrt(4000.0), 1000.0], atol=1e-8)
    assert np.isnan(x[1])


@pytest.mark.parametrize("crval", PLACES)
def test_a_fit_recovers_a_wcs_of_its_order(crval: tuple[float, float]) -> None:
    truth = sip(crval)
    x, y = pixels()
    ra, dec = truth.pixel_to_sky(x, y)
    for crpix in ((1023.5, 2087.5), (-5000.0, 9000.0)):
        fitted = wcs.fit(x, y, ra, dec, None, crval, crpix, 5)
        assert fitted.crpix == crpix
        assert (fitted.a[0, :2] == 0.0).all()
        assert fitted.a[1, 0] == 0.0
        # Rounding of RA (6e-14 deg), extrapolated to a tangent point far off the frame: 1e-3 mas.
        assert sphere.separation(*fitted.pixel_to_sky(x, y), ra, dec).max() * 3.6e6 < 3e-3
        assert sphere.separation(*fitted.corners(2048, 4176), *truth.corners(2048, 4176)).max() * 3.6e6 < 3e-3


def test_weights_are_inverse_variances() -> None:
    truth = sip((150.0, 2.0))
    rng = np.random.default_rng(6)
    x, y = pixels(4000)
    ra, dec = truth.pixel_to_sky(x, y)
    sigma_deg = np.where(np.arange(4000) % 2, 1e-6, 1e-4)
    noisy = ra + rng.normal(0, sigma_deg) / np.cos(np.radians(dec)), dec + rng.normal(0, sigma_deg)
    errors = []
    for weight in (sigma_deg**-2, None):
        fitted = wcs.fit(x, y, *noisy, weight, truth.crval, (1023.5, 2087.5), 4)
        errors.append(np.sqrt(np.mean(sphere.separation(*fitted.pixel_to_sky(x, y), ra, dec) ** 2)))
    # 2000 good stars, 15 terms: sigma sqrt(2 * 15 / 2000) = 1.2e-7 deg; unweighted 1e-4 sqrt(2 * 15 / 4000 / 2).
    assert errors[0] < 1.7e-7
    assert errors[1] > 2e-6
    dropped = np.where(np.arange(4000) % 2, 1.0, 0.0)
    kept = wcs.fit(x, y, np.where(dropped > 0, ra, np.nan), dec, dropped, truth.crval, (1023.5, 2087.5), 4)
    assert sphere.separation(*kept.pixel_to_sky(x, y), ra, dec).max() < 1e-10


def test_a_fit_of_too_few_or_badly_placed_stars_is_refused() -> None:
    truth = sip((150.0, 2.0))
    x, y = pixels(9)
    with pytest.raises(DataError) as caught:
        wcs.fit(x, y, *truth.pixel_to_sky(x, y), None, truth.crval, truth.crpix, 3)
    assert caught.value.code == "too_few_stars"
    line = np.linspace(0, 2000, 50)
    with pytest.raises(DataError, match="badly"):
        wcs.fit(line, 2 * line, *truth.pixel_to_sky(line, 2 * line), None, truth.crval, truth.crpix, 2)


def test_any_smooth_mapping_is_approximated_over_the_whole_frame() -> None:
    def strange(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        r = np.hypot(x + 3000.0, y - 9000.0) * SCALE
        return sphere.offset(0.02, 60.0, np.degrees(np.arctan2(x + 3000.0, y - 9000.0)), r + 0.05 * r**3)

    fitted = wcs.approximate(strange, 2048, 4176, (0.0, 60.0), (1023.5, 2087.5), 5)
    x, y = pixels(3000)
    assert sphere.separation(*fitted.pixel_to_sky(x, y), *strange(x, y)).max() * 3.6e6 < 0.01
    ap, bp = fitted.inverse_sip(2048, 4176)
    u, v = x - 1023.5, y - 2087.5
    big_u, big_v = u + polynomial.evaluate(fitted.a, u, v), v + polynomial.evaluate(fitted.b, u, v)
    np.testing.assert_allclose(big_u + polynomial.evaluate(ap, big_u, big_v), u, atol=1e-4)
    np.testing.assert_allclose(big_v + polynomial.evaluate(bp, big_u, big_v), v, atol=1e-4)


def tpv(pv1: dict[int, float], pv2: dict[int, float]) -> tuple[fits.Header, np.ndarray]:
    cd = np.array([[-0.7e-4, 1e-5], [2e-5, 0.7e-4]])
    cards = fits.Header()
    cards["CTYPE1"], cards["CTYPE2"] = "RA---TPV", "DEC--TPV"
    cards["CRVAL1"], cards["CRVAL2"], cards["CRPIX1"], cards["CRPIX2"] = 359.9, 40.0, -1999.0, 5001.0
    for i in range(2):
        for j in range(2):
            cards[f"CD{i + 1}_{j + 1}"] = cd[i, j]
    for axis, pv in ((1, pv1), (2, pv2)):
        for k, c in pv.items():
            cards[f"PV{axis}_{k}"] = c
    return cards, cd


@pytest.mark.parametrize("highest", [3, 4, 5])
def test_tpv_without_radial_terms_becomes_the_same_sip(highest: int) -> None:
    rng = np.random.default_rng(7)
    number = [k for k in range({3: 11, 4: 17, 5: 23}[highest]) if k not in (3, 11)]
    pv1, pv2 = ({k: float(rng.normal(0, 0.003)) for k in number} for _ in range(2))
    pv1[1], pv2[1] = 1.01, 0.99
    cards, cd = tpv(pv1, pv2)
    made = wcs.from_tpv((359.9, 40.0), (-2000.0, 5000.0), cd, pv1, pv2)
    assert made.order == highest
    x, y = pixels()
    assert sphere.separation(*made.pixel_to_sky(x, y), *WCS(cards).all_pix2world(x, y, 0)).max() < 1e-9


def test_tpv_with_radial_terms_is_fitted_over_the_frame() -> None:
    pv1, pv2 = {1: 1.0, 3: 0.002, 7: 0.01, 11: -0.01}, {1: 1.0, 3: -0.001, 11: 0.02}
    cards, cd = tpv(pv1, pv2)
    made = wcs.from_tpv((359.9, 40.0), (-2000.0, 5000.0), cd, pv1, pv2, 2048, 4176)
    x, y = pixels()
    assert sphere.separation(*made.pixel_to_sky(x, y), *WCS(cards).all_pix2world(x, y, 0)).max() * 3.6e6 < 0.2
    with pytest.raises(InputError):
        wcs.from_tpv((359.9, 40.0), (-2000.0, 5000.0), cd, pv1, pv2)


@pytest.mark.parametrize("crval", PLACES)
def test_the_area_of_a_pixel_is_that_of_its_corners(crval: tuple[float, float]) -> None:
    w = sip(crval)
    x, y = pixels(100)
    # Ten pixels wide, so that rounding of directions (1e-16) stays below 1e-9 of the area.
    corner = [sphere.unit_vector(*w.pixel_to_sky(x + dx, y + dy)) for dx, dy in ((-5, -5), (5, -5), (5, 5), (-5, 5))]
    area = np.linalg.norm(np.cross(corner[2] - corner[0], corner[3] - corner[1]), axis=1) / 2.0 * np.degrees(1.0) ** 2
    np.testing.assert_allclose(w.pixel_area(x, y), area / 100.0, rtol=1e-6)
    jacobian = w.plane_jacobian(x, y)
    np.testing.assert_allclose(np.abs(np.linalg.det(jacobian)), w.plane_area(x, y), rtol=1e-12)
    step = (np.array(w.pixel_to_plane(x + 0.5, y)) - np.array(w.pixel_to_plane(x - 0.5, y))).T
    np.testing.assert_allclose(jacobian[:, :, 0], step, rtol=1e-6)


def test_flat_lists_are_in_the_order_of_the_schema() -> None:
    w = sip((150.0, 2.0), order=3)
    a = w.a
    assert w.sip_a() == [a[0, 0], a[0, 1], a[0, 2], a[0, 3], a[1, 0], a[1, 1], a[1, 2], a[2, 0], a[2, 1], a[3, 0]]
    again = Wcs.from_flat(w.crval, w.crpix, w.cd.ravel(), w.order, w.sip_a(), w.sip_b())
    np.testing.assert_array_equal(again.a, w.a)
    np.testing.assert_array_equal(again.b, w.b)
    with pytest.raises(ValueError, match="10"):
        Wcs.from_flat(w.crval, w.crpix, w.cd, w.order, w.sip_a()[:-1], w.sip_b())


def test_corners_are_at_pixel_edges_in_order() -> None:
    w = sip((150.0, 2.0))
    x, y = w.sky_to_pixel(*w.corners(2048, 4176))
    np.testing.assert_allclose(x, [-0.5, 2047.5, 2047.5, -0.5], atol=1e-8)
    np.testing.assert_allclose(y, [-0.5, -0.5, 4175.5, 4175.5], atol=1e-8)


def test_coefficients_that_are_not_finite_are_refused() -> None:
    with pytest.raises(DataError):
        Wcs((150.0, np.nan), (0, 0), np.eye(2))
    with pytest.raises(DataError):
        Wcs((150.0, 0.0), (0, 0), np.ones((2, 2)))


@settings(deadline=None, max_examples=60)
@given(st.floats(0, 360), st.floats(-90, 90), st.floats(0, 360), st.floats(1e-9, 179.0))
def test_offset_separation_and_bearing_agree(ra: float, dec: float, bearing: float, distance: float) -> None:
    ra2, dec2 = sphere.offset(ra, dec, bearing, distance)
    assert sphere.separation(ra, dec, ra2, dec2) == pytest.approx(distance, rel=1e-6, abs=1e-13)
    assert 0.0 <= ra2 < 360.0
    if distance > 1e-3 and abs(dec) < 89.0:
        turn = sphere.position_angle(ra, dec, ra2, dec2) - bearing
        assert abs((turn + 180.0) % 360.0 - 180.0) * np.sin(np.radians(distance)) < 1e-9


@settings(deadline=None, max_examples=60)
@given(st.floats(0, 360), st.floats(-90, 90), st.floats(0, 360), st.floats(0, 80))
def test_projection_and_its_inverse(ra0: float, dec0: float, bearing: float, distance: float) -> None:
    ra, dec = sphere.offset(ra0, dec0, bearing, distance)
    xi, eta = sphere.project(ra, dec, ra0, dec0)
    assert np.degrees(np.arctan(np.radians(np.hypot(xi, eta)))) == pytest.approx(distance, abs=1e-9)
    assert sphere.separation(*sphere.deproject(xi, eta, ra0, dec0), ra, dec) < 1e-10


def test_right_ascensions_never_become_360() -> None:
    np.testing.assert_array_equal(sphere.normalize_ra([-1e-14, 360.0, -90.0, 725.0, 359.0]), [0, 0, 270, 5, 359])


def test_mean_positions_know_neither_wrap_nor_pole() -> None:
    assert sphere.mean_position([359.0, 1.0], [0.0, 0.0]) == pytest.approx((0.0, 0.0), abs=1e-12)
    assert sphere.mean_position([0.0, 90.0, 180.0, 270.0], [89.0] * 4)[1] == pytest.approx(90.0)
    assert sphere.mean_position([10.0, 12.0], [0.0, 0.0], [3.0, 1.0])[0] == pytest.approx(10.5, abs=1e-3)


def test_polynomials_shift_and_compose_exactly() -> None:
    rng = np.random.default_rng(8)
    c = polynomial.unflatten(rng.normal(size=polynomial.n_coefficient(5)))
    x, y = rng.normal(size=(2, 50))
    matrix = rng.normal(size=(2, 2))
    np.testing.assert_allclose(
        polynomial.evaluate(polynomial.shift(c, 0.3, -0.7), x - 0.3, y + 0.7), polynomial.evaluate(c, x, y)
    )
    u, v = matrix @ np.stack([x, y])
    np.testing.assert_allclose(polynomial.evaluate(polynomial.compose(c, matrix), x, y), polynomial.evaluate(c, u, v))
    np.testing.assert_allclose(polynomial.evaluate(c, x, y), np.polynomial.polynomial.polyval2d(x, y, c))
    flat = rng.normal(size=polynomial.n_coefficient(4))
    np.testing.assert_allclose(
        polynomial.design(x, y, 4) @ flat, polynomial.evaluate(polynomial.from_legendre(flat, 4), x, y)
    )


def test_pixel_numbers_are_those_published() -> None:
    found = ipix.ang2ipix([0, -1, 359, 0, 100, np.nan, 0], [0, 0, 0, 90, 90, 0, np.inf])
    assert found.tolist() == [
        2017612633061982208, 1825388318008017157, 1825388318008017157, 480383960252852906, 864691128455135232, -1, -1,
    ]  # fmt: skip
    np.testing.assert_allclose(np.array(ipix.ipix2ang(0)), [315.0, 35.2643897079092], rtol=1e-14)


def test_pixel_numbers_go_round_and_follow_the_quad_tree() -> None:
    rng = np.random.default_rng(9)
    numbers = rng.integers(0, ipix.MAX_IPIX, 50000)
    np.testing.assert_array_equal(ipix.ang2ipix(*ipix.ipix2ang(numbers)), numbers)
    # The four children of a cell of 2^20 pixels lie together: at most its diagonal, 0.6 arcsec, apart.
    cell = (numbers >> 20) << 20
    first, last = ipix.ipix2ang(cell), ipix.ipix2ang(cell + (1 << 20) - 1)
    assert (sphere.separation(*first, *last) * 3600.0).max() < 0.6
    for bad in (-1, ipix.MAX_IPIX + 1):
        with pytest.raises(ValueError, match="ipix"):
            ipix.ipix2ang(bad)
