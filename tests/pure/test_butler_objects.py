"""The objects that hscPipe's scripts expect."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy import wcs as astropy_wcs
from astropy.coordinates import SkyCoord
from astropy.io import fits

from hscdb.butler import angle, calib, geom, matching, metadata
from hscdb.butler.catalog import SourceCatalog
from hscdb.butler.exposure import Exposure
from hscdb.butler.image import LOCAL, Image, ImageF, Mask
from hscdb.butler.masked import MaskedImage
from hscdb.butler.names import modern
from hscdb.butler.psf import Psf
from hscdb.butler.target import Target, parse
from hscdb.butler.wcs import SkyWcs, makeWcs
from hscdb.camera.load import load
from hscdb.detect import catalog as detected
from hscdb.errors import ConfigError, InputError
from hscdb.image.mask import BIT
from hscdb.image.psf import gaussian
from hscdb.mosaic.frames import rotated
from hscdb.sky.wcs import Wcs


def wcs() -> SkyWcs:
    """A turned, distorted WCS."""
    a = np.zeros((3, 3))
    a[2, 0], a[1, 1], a[0, 2] = 2e-7, -1e-7, 5e-8
    return SkyWcs(Wcs((150.1, 2.2), (300.0, 200.0), np.array([[1e-6, -4.66e-5], [-4.67e-5, 2e-6]]), a, -a))


def sources(n: int = 5) -> SourceCatalog:
    """A src table."""
    rows = np.zeros(n, detected.SOURCE)
    rows["source_id"], rows["parent_id"] = np.arange(10, 10 + n), [0, 10, 10, 0, 0][:n]
    rows["x_pix"], rows["y_pix"] = np.arange(n) * 10.0, np.arange(n) * 7.0
    rows["x_pix_err"], rows["y_pix_err"], rows["x_y_pix2_cov"] = 0.1, 0.2, 0.005
    rows["ixx_pix2"], rows["iyy_pix2"], rows["ixy_pix2"] = 5.0, 3.0, 1.0
    rows["ixx_pix2_err"], rows["iyy_pix2_err"], rows["ixy_pix2_err"] = 0.5, 0.25, 0.2
    for k, radius in enumerate(detected.RADII):
        rows[f"aper_{detected.aperture_name(radius)}_flux_e"] = 100.0 * k + np.arange(n)
    rows["psf_flux_e"], rows["kron_radius_pix"] = [5.0, 4.0, 3.0, 2.0, 1.0][:n], 2.5
    rows["flags"] = [0, 1 << 3, 1 << 4, 1 << 22, 1][:n]  # saturated, its centre, psf_used, edge
    table, units, cards = detected.src(rows)
    table["coord_ra"], table["coord_dec"] = np.radians(10.0 + np.arange(n)), np.radians(-5.0)
    header = {card[0]: card[1] for card in cards} | {
        f"TUNIT{number}": units.get(name, "") for number, name in enumerate(table.dtype.names, start=1)
    }
    return SourceCatalog(table, header, "SRC")


def test_angles_are_radians_with_units_beside_them() -> None:
    found = np.float64(0.2) * angle.arcseconds
    assert isinstance(found, angle.Angle)
    assert found.asArcseconds() == pytest.approx(0.2)
    assert float(90 * angle.degrees) == pytest.approx(math.pi / 2)
    half = 30 * angle.arcminutes
    assert (half.asDegrees(), half.asHours(), half.asMilliarcseconds()) == pytest.approx((0.5, 1 / 30, 1.8e6))
    assert (-half + 1 * angle.degrees).asDegrees() == pytest.approx(0.5)
    assert (-half).wrap().asDegrees() == pytest.approx(359.5)


def test_coordinates_are_turned_into_each_other_as_astropy_does() -> None:
    coord, known = angle.SpherePoint(266.4, -28.9, angle.degrees), SkyCoord(266.4, -28.9, unit="deg")
    galactic, ecliptic = coord.toGalactic(), coord.toEcliptic()
    assert galactic.getL().asDegrees() == pytest.approx(known.galactic.l.deg)
    assert galactic.getB().asDegrees() == pytest.approx(known.galactic.b.deg)
    assert ecliptic.getLambda().asDegrees() == pytest.approx(known.barycentricmeanecliptic.lon.deg)
    assert galactic.toIcrs().separation(coord).asArcseconds() < 1e-6
    assert coord.toFk5().separation(coord).asArcseconds() < 1e-6
    assert 0.001 < angle.SpherePoint(*coord.toFk5().getPosition(), angle.degrees).separation(coord).asArcseconds() < 0.1
    with pytest.raises(ConfigError, match="system galactic has getL and getB"):
        galactic.getRa()
    with pytest.raises(ConfigError, match="without a unit"):
        angle.SpherePoint(1.0, 2.0)


def test_boxes_know_their_pixels() -> None:
    box = geom.Box2I(geom.Point2I(3, 4), geom.Extent2I(10, 5))
    assert box == geom.Box2I(geom.Point2I(3, 4), geom.Point2I(12, 8))
    assert (box.getMaxX(), box.getEndY(), box.getArea()) == (12, 9, 50)
    assert box.contains(geom.Point2D(12.4, 3.6))
    assert not box.contains(geom.Point2D(12.6, 5))
    other = geom.Box2I(geom.Point2I(10, 0), geom.Extent2I(10, 6))
    assert box.overlaps(other)
    box.clip(other)
    assert box == geom.Box2I(geom.Point2I(10, 4), geom.Point2I(12, 5))
    box.clip(geom.Box2I(geom.Point2I(50, 50), geom.Extent2I(2, 2)))
    assert box.isEmpty()


def test_moments_and_axes_are_two_views_of_an_ellipse() -> None:
    made = geom.Axes(5.0, 2.0, 0.7).getQuadrupole()
    axes = geom.Axes(made)
    assert (axes.getA(), axes.getB(), axes.getTheta()) == pytest.approx((5.0, 2.0, 0.7))
    assert made.getDeterminantRadius() == pytest.approx(math.sqrt(10.0))
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    assert geom.Axes(made.transform(turn)).getTheta() == pytest.approx(0.7 - math.pi / 2)


def test_a_part_of_an_image_shares_its_pixels_unless_it_is_deep() -> None:
    image = Image(np.arange(20.0, dtype="f4").reshape(4, 5), xy0=(100, 200))
    box = geom.Box2I(geom.Point2I(101, 202), geom.Extent2I(2, 2))
    part = image[box]
    part += 1000
    assert image[101, 202] == 1011
    assert ImageF(image, geom.Box2I(geom.Point2I(1, 2), geom.Extent2I(2, 2)), LOCAL).getXY0() == geom.Point2I(101, 202)
    copy = ImageF(image, box, deep=True)
    copy.set(0)
    assert image[101, 202] == 1011
    with pytest.raises(ConfigError, match="does not lie in"):
        image[geom.Box2I(geom.Point2I(104, 202), geom.Extent2I(2, 2))]


def test_pixels_are_read_once_and_not_before() -> None:
    calls = []

    def load_pixels() -> np.ndarray:
        calls.append(1)
        return np.ones((3, 4), "f4")

    image = Image(load_pixels, shape=(3, 4))
    assert (image.getWidth(), image.getHeight(), calls) == (4, 3, [])
    image *= 2
    assert image.getArray().sum() == 24
    assert calls == [1]


def test_mask_planes_go_by_name() -> None:
    mask = Mask(np.array([[8, 12, 0, 1]], np.int32))
    assert mask.getPlaneBitMask("CR") == 1 << BIT["CR"] == 8
    assert mask.getPlaneBitMask(["CR", "INTERPOLATED", "SATURATED"]) == 8 | 4 | 2
    only = mask.clone()
    only &= mask.getPlaneBitMask("CR")
    assert only.getArray().tolist() == [[8, 8, 0, 0]]
    assert mask.getArray().tolist() == [[8, 12, 0, 1]]
    assert mask.getAsString(12) == "INTRP,CR"
    new = Mask.addMaskPlane("MINE")
    assert new not in BIT.values()
    assert Mask.addMaskPlane("MINE") == new
    mask |= 1 << new
    mask.removeAndClearMaskPlane("MINE")
    assert mask.getArray().tolist() == [[8, 12, 0, 1]]
    with pytest.raises(ConfigError, match="no plane 'MINE'"):
        mask.getPlaneBitMask("MINE")


def test_variance_goes_with_the_square_of_what_multiplies_an_image() -> None:
    masked = MaskedImage(ImageF(np.full((2, 3), 10, "f4")), None, ImageF(np.full((2, 3), 4, "f4")))
    masked *= ImageF(np.full((2, 3), 3, "f4"))
    assert (masked.image[0, 0], masked.variance[0, 0]) == (30, 36)
    other = masked.clone()
    other.mask.array[0, 1] = 8
    masked -= other
    assert (masked.image[0, 0], masked.variance[0, 0], masked.mask[1, 0]) == (0, 72, 8)


def test_planes_by_themselves_survive_a_file(tmp_path: Path) -> None:
    pixels = np.arange(12, dtype=np.float32).reshape(3, 4)
    ImageF(pixels, xy0=(5, 7)).writeFits(tmp_path / "image.fits")
    Mask(np.full((3, 4), 1 << BIT["SAT"], np.int32)).writeFits(str(tmp_path / "mask.fits"))
    MaskedImage(ImageF(pixels.copy())).writeFits(tmp_path / "trio.fits")
    with fits.open(tmp_path / "image.fits") as image, fits.open(tmp_path / "mask.fits") as mask:
        assert (image[0].data == pixels).all()
        assert (image[0].header["LTV1"], image[0].header["LTV2"]) == (-5, -7)
        assert (mask[0].data == 1 << mask[0].header["MP_SAT"]).all()
    assert (Exposure(tmp_path / "trio.fits").image.array == pixels).all()


def test_a_multiple_is_subtracted_with_its_variance_and_mask() -> None:
    one, other = (MaskedImage(ImageF(np.full((2, 2), level, np.float32))) for level in (10.0, 2.0))
    one.variance.array[:], other.variance.array[:], other.mask.array[0, 0] = 4.0, 1.0, 1 << BIT["CR"]
    one.scaledMinus(3.0, other)
    assert (one.image.array == 4.0).all()
    assert (one.variance.array == 13.0).all()
    assert one.mask.array.tolist() == [[1 << BIT["CR"], 0], [0, 0]]
    calibrated = calib.PhotoCalib(3631e9 / 2).calibrateImage(one)
    assert (calibrated.image.array == 8.0).all()
    assert (calibrated.variance.array == 52.0).all()
    assert (one.image.array == 4.0).all()


def test_an_exposure_survives_a_file_and_a_cutout_keeps_its_sky(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    masked = MaskedImage(ImageF(rng.normal(size=(80, 100)).astype("f4")), Mask(rng.integers(0, 16, (80, 100))))
    header = metadata.PropertyList({"FILTER": "HSC-R", "FLUXMAG0": 1e12, "EXPTIME": 30.0})
    one = Exposure(masked, wcs(), metadata=header, psf=Psf(gaussian(2.0, (80, 100))))
    one.writeFits(tmp_path / "one.fits")
    back = Exposure(tmp_path / "one.fits")
    for name in ("image", "mask", "variance"):
        np.testing.assert_array_equal(getattr(back, name).array, getattr(one, name).array)
    assert back.getPsf().computeShape().getIxx() == pytest.approx(4.0, rel=0.01)
    assert back.getCalib().getInstFluxAtZeroMagnitude() == 1e12
    sky = wcs().pixelToSky(40.0, 30.0)
    cut = one.getCutout(sky, geom.Extent2I(21, 11))
    assert cut.getBBox() == geom.Box2I(geom.Point2I(30, 25), geom.Extent2I(21, 11))
    cut.image.array[:] = 0
    assert one.image.array.any(axis=0).all()
    cut.writeFits(tmp_path / "cut.fits")
    x, y = Exposure(tmp_path / "cut.fits").getWcs().skyToPixel(sky)
    assert (x, y) == pytest.approx((10.0, 5.0), abs=1e-6)


def test_the_wcs_goes_there_and_back_and_astropy_agrees() -> None:
    w = wcs()
    sky = w.pixelToSky(geom.Point2D(10.0, 400.0))
    back = w.skyToPixel(sky)
    assert (back.x, back.y) == pytest.approx((10.0, 400.0), abs=1e-8)
    assert isinstance(w.astropy, astropy_wcs.WCS)
    assert w.astropy.all_pix2world([[10.0, 400.0]], 0)[0] == pytest.approx(sky.getPosition(), abs=1e-10)
    made = makeWcs(w.getFitsMetadata())
    assert made.pixelToSky(10.0, 400.0).separation(sky).asArcseconds() < 1e-9
    assert w.getPixelScale().asArcseconds() == pytest.approx(0.168, abs=0.001)
    shifted = w.copyAtShiftedPixelOrigin(geom.Extent2I(5, -3))
    assert shifted.pixelToSky(15.0, 397.0).separation(sky).asArcseconds() < 1e-9
    ra, dec = w.pixelToSkyArray(np.array([10.0]), np.array([400.0]))
    assert (math.degrees(ra[0]), math.degrees(dec[0])) == pytest.approx(sky.getPosition())
    assert not w.isFlipped()  # north up, east left, whatever the angle


def test_the_linear_map_is_the_derivative_of_the_wcs() -> None:
    w, place = wcs(), geom.Point2D(500.0, 50.0)
    matrix = w.linearizePixelToSky(place, angle.arcseconds).getLinear().getMatrix()
    here, step = w.pixelToSky(place), 3.0
    there = w.pixelToSky(place.x + step, place.y)
    ra, dec = (b - a for a, b in zip(here.getPosition(), there.getPosition()))
    east = ra * math.cos(math.radians(here.getPosition()[1])) * 3600
    assert matrix @ [step, 0] == pytest.approx([east, dec * 3600], rel=1e-4)
    inverse = w.linearizeSkyToPixel(place, angle.arcseconds).getMatrix()
    np.testing.assert_allclose(inverse @ matrix, np.eye(2), atol=1e-12)


def test_a_star_of_the_psf_lies_where_it_was_asked_for() -> None:
    psf = Psf(gaussian(1.8, (100, 120)))
    image = psf.computeImage(geom.Point2D(30.3, 60.6))
    y, x = np.mgrid[0 : image.getHeight(), 0 : image.getWidth()]
    total = image.array.sum()
    assert total == pytest.approx(1.0, abs=1e-3)
    assert (image.array * x).sum() / total + image.getX0() == pytest.approx(30.3, abs=2e-3)
    assert (image.array * y).sum() / total + image.getY0() == pytest.approx(60.6, abs=2e-3)
    kernel = psf.computeKernelImage()
    assert kernel[0, 0] == kernel.array.max() == pytest.approx(psf.computePeak())
    # 1 - exp(-r^2 / 2 sigma^2), with the width of the pixels, which are taken as even
    assert psf.computeApertureFlux(3.0) == pytest.approx(1 - math.exp(-4.5 / (1.8**2 + 1 / 12)), abs=3e-3)


def test_zero_points_turn_counts_into_magnitudes_and_njy() -> None:
    zero = calib.PhotoCalib(1e12, 1e10)
    assert zero.instFluxToMagnitude(1e12) == 0
    assert zero.instFluxToMagnitude(zero.magnitudeToInstFlux(23.4)) == pytest.approx(23.4)
    magnitude, error = zero.getMagnitude(np.array([1e5, -5.0]), np.array([1e3, 1e3]))
    assert magnitude[0] == pytest.approx(17.5)
    assert error[0] == pytest.approx(2.5 / math.log(10) * math.hypot(0.01, 0.01))
    assert np.isnan([magnitude[1], error[1]]).all()
    # AB: magnitude 23.9 is 1 uJy
    assert zero.instFluxToNanojansky(zero.magnitudeToInstFlux(23.9)) == pytest.approx(1000.0, rel=2e-4)
    assert calib.PhotoCalib.of(metadata.PropertyList({"EXPTIME": 1})) is None


@pytest.mark.parametrize("is_chebyshev", [False, True])
def test_the_flux_correction_is_the_polynomial_of_its_header(is_chebyshev: bool) -> None:
    header = {"ORDER": 2, "ABSOLUTE": True, "CHEBYSHEV": is_chebyshev, "NCOEFF": 6, "U_MAX": 2000.0, "V_MAX": 4000.0,
              "X0": 10.0, "Y0": -20.0, "C_0_0": 0.01, "C_1_0": 0.02, "C_0_1": 0.03, "C_2_0": 0.04, "C_1_1": 0.05,
              "C_0_2": 0.06}  # fmt: skip
    u, v = (500.0 + 10) / 2000, (900.0 - 20) / 4000
    second_u, second_v = (2 * u * u - 1, 2 * v * v - 1) if is_chebyshev else (u * u, v * v)
    wanted = 0.01 + 0.02 * u + 0.03 * v + 0.04 * second_u + 0.05 * u * v + 0.06 * second_v
    found = calib.FluxFitParams(metadata.PropertyList(header))
    assert found.eval(500.0, 900.0) == pytest.approx(wanted)
    assert found.eval(np.array([500.0] * 3), np.array([900.0] * 3)).tolist() == pytest.approx([wanted] * 3)
    del header["C_1_1"]
    with pytest.raises(InputError, match="no keyword C_1_1"):
        calib.FluxFitParams(metadata.PropertyList(header))


def test_turned_pixels_are_those_of_mosaic() -> None:
    camera = load("hsc")
    for number in (49, 50, 101, 102):
        ccd = camera.ccds[number]
        mine = calib.turned(12.5, 345.0, ccd.n_quarter, ccd.width, ccd.height)
        assert tuple(map(float, mine)) == pytest.approx(rotated(ccd, 12.5, 345.0)), number


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("flux.psf", "base_PsfFlux_instFlux"),
        ("flux.psf.err", "base_PsfFlux_instFluxErr"),
        ("flux.psf.flags", "base_PsfFlux_flag"),
        ("flux.psf.apcorr", "base_PsfFlux_apCorr"),
        ("flux.gaussian", "base_GaussianFlux_instFlux"),
        ("flux.kron", "ext_photometryKron_KronFlux_instFlux"),
        ("flux.kron.radius", "ext_photometryKron_KronFlux_radius"),
        ("flux.sinc.err", "base_CircularApertureFlux_12_0_instFluxErr"),
        ("cmodel.exp.flux", "modelfit_CModel_exp_instFlux"),
        ("classification.extendedness", "base_ClassificationExtendedness_value"),
        ("flags.pixel.saturated.center", "base_PixelFlags_flag_saturatedCenter"),
        ("flags.pixel.saturated.any", "base_PixelFlags_flag_saturated"),
        ("flags.pixel.edge", "base_PixelFlags_flag_edge"),
        ("calib.psf.used", "calib_psf_used"),
        ("deblend.nchild", "deblend_nChild"),
        ("base_PsfFlux_flux", "base_PsfFlux_instFlux"),
        ("base_PsfFlux_fluxSigma", "base_PsfFlux_instFluxErr"),
        ("slot_ModelFlux_flux", "slot_ModelFlux_instFlux"),
        ("base_PsfFlux_instFlux", "base_PsfFlux_instFlux"),
        ("id", "id"),
    ],
)
def test_columns_of_all_releases_have_one_name_today(old: str, new: str) -> None:
    assert modern(old) == new


def test_columns_are_found_by_old_new_slot_and_table_name() -> None:
    found = sources()
    for name in ("flux.psf", "base_PsfFlux_instFlux", "base_PsfFlux_flux", "slot_PsfFlux_instFlux", "psf_flux_e"):
        assert found.get(name).tolist() == [5.0, 4.0, 3.0, 2.0, 1.0], name
    assert found.getPsfFlux() is not None
    assert found.getApFlux().tolist() == found["base_CircularApertureFlux_12_0_instFlux"].tolist()
    assert found.get("flux.aperture").shape == (5, 10)
    assert found.get("flux.aperture")[2].tolist() == [100.0 * k + 2 for k in range(10)]
    assert found.get("flags.pixel.saturated.center").tolist() == [False, False, True, False, False]
    assert found.get("calib.psf.used").nonzero()[0].tolist() == [3]
    with pytest.raises(KeyError, match=r"no column 'flux\.psff'; near: flux\.psf"):
        found.get("flux.psff")
    with pytest.raises(InputError, match=r"'cmodel.flux' \(now modelfit_CModel_instFlux\)"):
        found.get("cmodel.flux")
    with pytest.raises(ConfigError, match="coord_ra, coord_dec"):
        found.get("coord")


def test_records_hold_objects() -> None:
    record = sources()[2]
    assert record.getCoord().getRa().asDegrees() == pytest.approx(12.0)
    assert record.get("centroid.sdss") == record.getCentroid() == geom.Point2D(20.0, 14.0)
    assert record.getShape().getIxy() == 1.0
    assert record.get("flux.aperture").tolist() == [100.0 * k + 2 for k in range(10)]
    assert record.get("centroid.sdss.err") == pytest.approx(np.array([[0.01, 0.005], [0.005, 0.04]]))
    known = record.get("shape.sdss.err")
    assert np.diag(known) == pytest.approx([0.25, 0.0625, 0.04])
    assert np.isnan(known[0, 1:]).all()
    assert record.get("flags.pixel.saturated.center") is True
    assert isinstance(record.getId(), int)
    assert set(record.extract("base_PsfFlux_inst*")) == {"base_PsfFlux_instFlux", "base_PsfFlux_instFluxErr"}


def test_catalogs_are_cut_sorted_and_searched(tmp_path: Path) -> None:
    found = sources()
    assert [each.getId() for each in found[1:3]] == [11, 12]
    assert [each.getId() for each in found[found.get("flux.psf") < 2.5]] == [13, 14]
    assert [each.getId() for each in found.getChildren(10)] == [11, 12]
    copy = found.copy(deep=True)
    copy.sort("flux.psf")
    assert copy.get("id").tolist() == [14, 13, 12, 11, 10]
    assert found.get("id")[0] == 10
    copy[0].set("flux.psf", 77.0)
    assert (copy.get("flux.psf")[0], found.find(14).getPsfFlux()) == (77.0, 1.0)
    assert found.find(99) is None
    with pytest.raises(IndexError):
        found[5]
    assert found[-1].getId() == 14
    text = str(found.schema)
    assert "base_PsfFlux_instFlux" in text
    assert "psf_flux_e" in text
    table = found.asAstropy()
    assert table["base_SdssCentroid_x"].unit == "pix"
    assert table["calib_psf_used"].tolist() == [False, False, False, True, False]
    found.writeFits(tmp_path / "s.fits")
    back = SourceCatalog.readFits(tmp_path / "s.fits")
    assert back.get("flags.pixel.saturated.any").tolist() == [False, True, False, False, False]
    with fits.open(tmp_path / "s.fits") as opened:
        assert opened[1].columns["base_SdssCentroid_x"].unit == "pix"


def test_near_sources_are_paired_as_by_brute_force() -> None:
    rng = np.random.default_rng(3)
    catalogs = []
    for n in (200, 300):
        dtype = [("id", "i8"), ("coord_ra", "f8"), ("coord_dec", "f8")]
        table = np.zeros(n, dtype)
        table["id"] = np.arange(n)
        table["coord_ra"] = np.radians(rng.uniform(-0.05, 0.05, n) % 360.0)
        table["coord_dec"] = np.radians(rng.uniform(59.98, 60.02, n))
        table["coord_ra"][::50] = np.nan
        catalogs.append(SourceCatalog(table))
    radius = 6.0 * angle.arcseconds
    wanted = {}
    for i, a in enumerate(catalogs[0]):
        near = [(float(a.getCoord().separation(b.getCoord())), j) for j, b in enumerate(catalogs[1])
                if math.isfinite(a.getRa() + b.getRa())]  # fmt: skip
        if near and min(near)[0] < radius:
            wanted[i] = min(near)
    found = matching.matchRaDec(*catalogs, radius)
    assert len(found) > 20
    assert {pair.first.getId(): pair.second.getId() for pair in found} == {i: j for i, (_, j) in wanted.items()}
    assert [pair.distance for pair in found] == pytest.approx([wanted[pair.first.getId()][0] for pair in found])


def test_suffixes_belong_to_the_longest_dataset() -> None:
    assert parse("calexp_md") == Target("calexp", "md")
    assert parse("jointcal_wcs") == Target("jointcal_wcs")
    assert parse("calexp_wcs") == Target("calexp", "wcs")
    assert parse("calexp.photoCalib") == Target("calexp", "photoCalib")
    assert parse("calexp_header_wcs") == Target("calexp", "header_wcs")
    assert parse("psf_filename") == Target("calexp", "filename")
    assert parse("skyMap") == Target("deepCoadd_skyMap")


def test_headers_are_read_as_property_lists() -> None:
    header = metadata.PropertyList({"EXPTIME": 30, "OBJECT": "M31"}, "CORR")
    assert header.get("EXPTIME") == header["EXPTIME"] == header.getScalar("EXPTIME") == 30
    assert header.get("NONE", 5) == 5
    assert "OBJECT" in header
    assert header.exists("OBJECT")
    assert header.names() == ["EXPTIME", "OBJECT"]
    with pytest.raises(KeyError, match="CORR: no keyword EXPTIM; near: EXPTIME"):
        header.get("EXPTIM")


def test_the_shim_leaves_real_packages_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hscdb.butler import shim

    for name in [name for name in sys.modules if name.split(".")[0] in ("lsst", "hsc")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "hsc").mkdir()  # a folder of data
    shim.install()
    from lsst.afw.geom import ellipses  # type: ignore[import-not-found]

    assert ellipses.Axes is geom.Axes
    for name in [name for name in sys.modules if name.split(".")[0] in ("lsst", "hsc")]:
        monkeypatch.delitem(sys.modules, name)
    (tmp_path / "lsst" / "afw").mkdir(parents=True)
    with pytest.raises(ConfigError, match="package lsst is installed"):
        shim.install()
