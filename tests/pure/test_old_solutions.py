"""Files that hscPipe's mosaic and jointcal left: written here by their description, judged by formulas of our own."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from hscdb.camera.load import load
from hscdb.errors import InputError
from hscdb.fits import product, solution

CAMERA = load("hsc")
WIDTH, HEIGHT = 2048, 4176
CORNERS = {49: 0, 102: 1, 50: 2, 101: 3}  # one CCD of each number of quarter turns


def focal_magnitude(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """A field over the focal plane [mag], 0 at the centre; powers up to the seventh."""
    a, b = u / 15000.0, v / 15000.0
    return 0.02 * a - 0.01 * b - 0.05 * a * a + 0.03 * a * b**2 - 0.004 * b**7 + 0.002 * a**3 * b**4


def write_fcr(path: Path, ccd: int, mag0: float, rng: np.random.Generator) -> None:
    """hscPipe's file of that field for a CCD without yaw: (u, v) = (X + X0, Y + Y0) of the turned pixels."""
    chip = CAMERA.ccds[ccd]
    n = chip.n_quarter % 4
    center = np.array([1023.5, 2087.5] if n in (0, 2) else [2087.5, 1023.5])
    x0, y0 = np.array([chip.u_pix, chip.v_pix]) - center
    terms = {(1, 0): 0.02 / 15e3, (0, 1): -0.01 / 15e3, (2, 0): -0.05 / 15e3**2, (1, 2): 0.03 / 15e3**3,
             (0, 7): -0.004 / 15e3**7, (3, 4): 0.002 / 15e3**7}  # fmt: skip
    cards = [(f"C_{p}_{q}", terms.get((p, q), 0.0)) for p in range(8) for q in range(8 - p)]
    cards += [("ORDER", 7), ("ABSOLUTE", False), ("HIERARCH CHEBYSHEV", False), ("NCOEFF", 36), ("U_MAX", 1.0),
              ("V_MAX", 1.0), ("X0", float(x0)), ("Y0", float(y0)), ("FLUXMAG0", mag0),
              ("HIERARCH FLUXMAG0ERR", 0.05 * mag0)]  # fmt: skip
    header = fits.Header()
    for i in rng.permutation(len(cards)):  # a map's order is nobody's
        header[cards[i][0]] = cards[i][1]
    empty = [fits.ImageHDU(np.zeros((0, 0), np.int32)) for _ in range(3)]
    fits.HDUList([fits.PrimaryHDU(header=header), *empty]).writeto(path)


def pixels(n: int = 9) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.meshgrid(np.linspace(0, WIDTH - 1, n), np.linspace(0, HEIGHT - 1, n))
    return x.ravel(), y.ravel()


@pytest.mark.parametrize("ccd", CORNERS)
def test_the_field_is_that_of_the_focal_plane_for_every_quarter_turn(tmp_path: Path, ccd: int) -> None:
    assert CAMERA.ccds[ccd].n_quarter % 4 == CORNERS[ccd]
    write_fcr(tmp_path / "fcr.fits", ccd, 1.02e13, np.random.default_rng(ccd))
    found = solution.read_fcr(tmp_path / "fcr.fits")
    assert (found.mag0, found.mag0_err) == pytest.approx((1.02e13, 0.05 * 1.02e13))
    x, y = pixels()
    chip, angle = CAMERA.ccds[ccd], np.pi / 2 * CORNERS[ccd]
    # the image's pixels about its centre, turned counter-clockwise as often as the CCD is
    dx, dy = x - 1023.5, y - 2087.5
    u = chip.u_pix + np.cos(angle) * dx - np.sin(angle) * dy
    v = chip.v_pix + np.sin(angle) * dx + np.cos(angle) * dy
    turned = solution.turned(x, y, chip.n_quarter, WIDTH, HEIGHT)
    np.testing.assert_allclose(found.eval(*turned), focal_magnitude(u, v), atol=1e-12)
    counts = np.full(x.size, 3.3e5)
    expected = 3.3e5 * 10 ** (-0.4 * focal_magnitude(u, v)) / 1.02e13
    np.testing.assert_allclose(10 ** (-0.4 * found.magnitude(counts, *turned)), expected, rtol=1e-10)


def test_chebyshev_terms_and_scales_of_the_axes_are_obeyed(tmp_path: Path) -> None:
    header = {"ORDER": 3, "CHEBYSHEV": True, "U_MAX": 2000.0, "V_MAX": 4000.0, "X0": -1000.0, "Y0": 30.0}
    header |= {"FLUXMAG0": 1.0}
    header |= {f"C_{p}_{q}": 0.01 * (1 + p - 2 * q) for p in range(4) for q in range(4 - p)}
    found = solution.flux_field(header)
    u, v = (1234.0 - 1000.0) / 2000.0, (777.0 + 30.0) / 4000.0
    expected = sum(header[f"C_{p}_{q}"] * np.cos(p * np.arccos(u)) * np.cos(q * np.arccos(v))
                   for p in range(4) for q in range(4 - p))  # fmt: skip
    assert float(found.eval(1234.0, 777.0)) == pytest.approx(float(expected), abs=1e-12)
    assert np.isnan(found.mag0_err)


@pytest.mark.parametrize("missing", ["C_2_1", "FLUXMAG0", "ORDER"])
def test_a_field_that_is_not_whole_is_refused(missing: str) -> None:
    header = {"ORDER": 3, "U_MAX": 1.0, "V_MAX": 1.0, "X0": 0.0, "Y0": 0.0, "FLUXMAG0": 1.0}
    header |= {f"C_{p}_{q}": 0.0 for p in range(4) for q in range(4 - p)}
    del header[missing]
    with pytest.raises(InputError) as told:
        solution.flux_field(header)
    assert told.value.code == "bad_fcr"
    assert missing in str(told.value)


def sip_header(order: int = 9) -> fits.Header:
    """A distortion like HSC's about an optical centre far off the CCD: radial, to the ninth power, and a tilt."""
    header = fits.Header()
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN-SIP", "DEC--TAN-SIP"
    header["CRVAL1"], header["CRVAL2"] = 359.9, 1.5
    header["CRPIX1"], header["CRPIX2"] = -9000.0, 7000.5
    header["CD1_1"], header["CD1_2"], header["CD2_1"], header["CD2_2"] = -1.2e-6, 4.687e-5, 4.687e-5, 1.2e-6
    header["A_ORDER"] = header["B_ORDER"] = order
    for k, c in ((1, 1.06e-10), (2, 3.1e-20), (3, 2.9e-29), (4, 1.4e-37)):  # r^(2k) times x or y
        for j in range(k + 1):
            share = c * (1 if k == 1 else 0.1) * [1, k, k * (k - 1) / 2, k * (k - 1) * (k - 2) / 6, 1][j]
            header[f"A_{2 * (k - j) + 1}_{2 * j}"] = -share
            header[f"B_{2 * (k - j)}_{2 * j + 1}"] = -share
    header["A_2_0"], header["B_1_1"] = 3e-9, -2e-9
    return header


def test_a_wcs_of_the_ninth_order_about_the_optical_centre_is_read_and_turned_back(tmp_path: Path) -> None:
    header = sip_header()
    empty = fits.ImageHDU(np.zeros((0, 0), np.int32), header=header)
    fits.HDUList([fits.PrimaryHDU(), empty]).writeto(tmp_path / "wcs.fits")
    found, peer = solution.read_wcs(tmp_path / "wcs.fits"), WCS(header)
    x, y = pixels()
    ra, dec = found.pixel_to_sky(x, y)
    their_ra, their_dec = peer.all_pix2world(x, y, 0)
    apart = np.hypot(((ra - their_ra + 180) % 360 - 180) * np.cos(np.radians(dec)), dec - their_dec)
    assert apart.max() * 3600 / 0.168 < 1e-6  # pix
    back = found.sky_to_pixel(ra, dec)
    assert np.hypot(back[0] - x, back[1] - y).max() < 1e-9
    # the pixel area by finite differences of the peer's directions, over that at the tangent point
    def area(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        ends = [np.radians(peer.all_pix2world(x + i, y + j, 0)) for i, j in ((1, 0), (-1, 0), (0, 1), (0, -1))]
        v = [np.stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)], axis=-1) for a, d in ends]
        return np.linalg.norm(np.cross(v[0] - v[1], v[2] - v[3]), axis=-1)

    centre = area(np.array([header["CRPIX1"] - 1.0]), np.array([header["CRPIX2"] - 1.0]))
    np.testing.assert_allclose(solution.jacobian(found, x, y), area(x, y) / centre, rtol=1e-6)
    assert 0.8 < solution.jacobian(found, x, y).min() < 0.97


def test_the_scale_of_an_image_is_field_times_area(tmp_path: Path) -> None:
    write_fcr(tmp_path / "fcr.fits", 50, 1.02e13, np.random.default_rng(1))
    fits.PrimaryHDU(header=sip_header()).writeto(tmp_path / "wcs.fits")
    field, wcs = solution.read_fcr(tmp_path / "fcr.fits"), solution.read_wcs(tmp_path / "wcs.fits")
    x, y = pixels()
    expected = 10 ** (-0.4 * field.eval(x, y)) * solution.jacobian(wcs, x, y)
    np.testing.assert_allclose(field.factor(x, y, wcs), expected, rtol=1e-12)
    assert field.magnitude(1.02e13, x, y, wcs) == pytest.approx(-2.5 * np.log10(expected))


def archive(path: Path, *tables: tuple[str, list[fits.Column]]) -> None:
    """An archive of afw: an index, and a table of one row of each kind of object."""
    index = fits.BinTableHDU.from_columns([fits.Column("id", "J", array=np.arange(len(tables)))])
    hdus = [fits.PrimaryHDU(), index]
    for name, columns in tables:
        hdu = fits.BinTableHDU.from_columns(columns)
        hdu.header["EXTTYPE"], hdu.header["AR_NAME"] = "ARCHIVE_DATA", name
        hdus.append(hdu)
    fits.HDUList(hdus).writeto(path)


def calib_columns(mean: float) -> list[fits.Column]:
    return [fits.Column("calibrationMean", "D", array=[mean]), fits.Column("calibrationErr", "D", array=[0.01 * mean])]


def box_columns() -> list[fits.Column]:
    ends = {"bbox_min_x": 0, "bbox_min_y": 0, "bbox_max_x": WIDTH - 1, "bbox_max_y": HEIGHT - 1}
    return [fits.Column(name, "J", array=[end]) for name, end in ends.items()]


def test_mosaics_field_in_a_photo_calib_is_that_of_its_fcr_file(tmp_path: Path) -> None:
    write_fcr(tmp_path / "fcr.fits", 102, 1.02e13, np.random.default_rng(3))
    fcr = solution.read_fcr(tmp_path / "fcr.fits")
    flat = [fcr.power[d - q, q] for d in range(8) for q in range(d + 1)]
    own = [fits.Column("flags", "2X", array=[[False, False]]), fits.Column("coefficients", "36D", array=[flat])]
    own += [fits.Column(name, "D", array=[number]) for name, number in
            {"x0": fcr.x0, "y0": fcr.y0, "uMax": 1.0, "vMax": 1.0, "zeroPoint": 1.02e13}.items()]  # fmt: skip
    own += [fits.Column("nQuarter", "J", array=[1]), *box_columns()]
    archive(tmp_path / "p.fits", ("PhotoCalib", calib_columns(3.63e12 / 1.02e13)), ("FluxFitBoundedField", own))
    found = solution.read_photo_calib(tmp_path / "p.fits")
    x, y = pixels()
    expected = 3.63e12 / 1.02e13 * fcr.factor(HEIGHT - 1 - y, x)
    np.testing.assert_allclose(found.njy_per_count(x, y), expected, rtol=1e-12)


def test_jointcals_chebyshev_field_and_a_constant_are_read(tmp_path: Path) -> None:
    c = np.array([[0.3, 0.01, -0.004], [0.02, 0.003, 0.0], [0.005, 0.0, 0.0]])  # of T_i(y) T_j(x)
    own = [fits.Column("order_x", "J", array=[2]), fits.Column("coefficients", "9D", array=[c.ravel()]), *box_columns()]
    archive(tmp_path / "p.fits", ("PhotoCalib", calib_columns(0.3)), ("ChebyshevBoundedField", own))
    found = solution.read_photo_calib(tmp_path / "p.fits")
    x, y = pixels()
    u, v = x / (WIDTH - 1) * 2 - 1, y / (HEIGHT - 1) * 2 - 1
    expected = sum(c[i, j] * np.cos(i * np.arccos(v)) * np.cos(j * np.arccos(u)) for i in range(3) for j in range(3))
    np.testing.assert_allclose(found.njy_per_count(x, y), expected, rtol=1e-9)
    archive(tmp_path / "q.fits", ("PhotoCalib", calib_columns(0.3)))
    np.testing.assert_allclose(solution.read_photo_calib(tmp_path / "q.fits").njy_per_count(x, y), 0.3)


def test_files_of_another_kind_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "text.fits").write_text("no FITS")
    with pytest.raises(InputError) as told:
        solution.read_fcr(tmp_path / "text.fits")
    assert told.value.code == "not_fits"
    product.write_header(tmp_path / "empty.fits", [])
    for reader, code in ((solution.read_wcs, "no_wcs"), (solution.read_photo_calib, "bad_photo_calib")):
        with pytest.raises(InputError) as told:
            reader(tmp_path / "empty.fits")
        assert told.value.code == code
    archive(tmp_path / "ast.fits", ("SkyWcs", [fits.Column("wcs", "3B", array=[[49, 32, 83]])]))
    with pytest.raises(InputError) as told:
        solution.read_wcs(tmp_path / "ast.fits")
    assert told.value.code == "ast_wcs"
