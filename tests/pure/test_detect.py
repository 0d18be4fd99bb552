"""detect against the truth: fluxes, places, errors, completeness, blends, flags, and frames that are hardly frames."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import starfield
from scipy.spatial import cKDTree

from hscdb.detect import catalog, deblend, frame, measure, targets
from hscdb.errors import DataError
from hscdb.image import flags, mask
from hscdb.image.plane import Image
from hscdb.image.psf import gaussian

FWHM = 3.9


def measured_sources(measured):
    """Indices of all that are no parents."""
    return np.flatnonzero(measured.columns["n_child"] == 0)


def matched(field, measured, radius=1.5):
    """For each true source, whether it was found, and by which index of the columns."""
    rows = measured_sources(measured)
    places = np.stack([measured.columns["x"][rows], measured.columns["y"][rows]], axis=1)
    distance, index = cKDTree(places).query(np.stack([field.x, field.y], axis=1), distance_upper_bound=radius)
    found = np.isfinite(distance)
    return found, rows[np.where(found, index, 0)]


def in_twelve_pixels(fwhm=FWHM):
    """Part of a star's light within 12 pix, which aperture-corrected fluxes are scaled to."""
    stamp = starfield.make((301, 301), [150.0], [150.0], [1e8], [True], fwhm=fwhm, is_varying=False).model
    j, i = np.indices(stamp.shape) - 150
    return stamp[i**2 + j**2 < 144].sum() / 1e8


@pytest.fixture(scope="module")
def lonely():
    """Three frames of lonely stars of S/N 6 to 400: [(field, measured)]."""
    fields = [starfield.grid((600, 600), 40, (6, 400), seed=seed) for seed in range(4)]
    return [(field, frame.characterize(field.image, frame.Limits(), 1)) for field in fields]


def pulls(lonely, low, high):
    part, flux, x, y = in_twelve_pixels(), [], [], []
    for field, measured in lonely:
        snr = field.flux / starfield.noise_flux(FWHM, field.sky)
        found, k = matched(field, measured)
        wanted = found & (snr >= low) & (snr < high)
        c, k = measured.columns, k[wanted]
        flux.append((c["psf_flux"][k] - part * field.flux[wanted]) / c["psf_flux_err"][k])
        x.append((c["x"][k] - field.x[wanted]) / c["x_err"][k])
        y.append((c["y"][k] - field.y[wanted]) / c["y_err"][k])
    return np.concatenate(flux), np.concatenate(x), np.concatenate(y)


@pytest.mark.parametrize(("low", "high"), [(10, 40), (40, 300)])
def test_errors_of_flux_and_place_are_honest(lonely, low, high):
    for pull in pulls(lonely, low, high):
        pull = pull[np.isfinite(pull)]
        n = len(pull)
        assert n > 200
        width = np.sqrt(np.mean(pull**2))
        assert 0.9 - 2 / np.sqrt(2 * n) < width < 1.1 + 2 / np.sqrt(2 * n)
        assert abs(np.mean(pull)) < 0.35  # the aperture correction is common to all: 0.3 % at S/N 100


def test_psf_fluxes_are_right_to_half_a_percent(lonely):
    ratio = []
    for field, measured in lonely:
        found, k = matched(field, measured)
        bright = found & (field.flux > 30 * starfield.noise_flux(FWHM, field.sky))
        ratio.append(measured.columns["psf_flux"][k[bright]] / (in_twelve_pixels() * field.flux[bright]))
    assert abs(np.median(np.concatenate(ratio)) - 1) < 0.005


def test_apertures_hold_what_they_should(lonely):
    field, measured = lonely[0]
    found, k = matched(field, measured)
    bright = found & (field.flux > 100 * starfield.noise_flux(FWHM, field.sky))
    c = measured.columns
    ratio = c["aper"][k[bright], measure.REFERENCE] / (in_twelve_pixels() * field.flux[bright])
    assert np.median(ratio) == pytest.approx(1.0, abs=0.01)
    inner = measured_sources(measured)
    near_edge = (np.minimum(c["x"], 599 - c["x"]) < 69) | (np.minimum(c["y"], 599 - c["y"]) < 69)
    assert np.isnan(c["aper"][inner][near_edge[inner], -1]).all()
    assert np.isfinite(c["aper"][inner][~near_edge[inner], -1]).all()


def test_circles_equal_the_areas_of_circles():
    one = np.ones((200, 200), np.float32)
    from hscdb.detect.flux import circles

    radii, flux, error = np.array(measure.RADII), np.empty(10), np.empty(10)
    for x, y in ((100.0, 100.0), (99.3, 100.8), (80.5, 110.5)):
        circles(one, one, x, y, radii, flux, error)
        assert flux == pytest.approx(np.pi * radii**2, rel=2e-3)


def test_stars_of_five_to_seven_sigma_are_found_and_little_else():
    field = starfield.grid((600, 600), 30, (4.0, 9.0), seed=11)
    measured = frame.characterize(field.image, frame.Limits(), 1)
    snr = field.flux / starfield.noise_flux(FWHM, field.sky)
    found, _ = matched(field, measured, 2.5)
    assert found[(snr > 7)].mean() > 0.95
    assert found[(snr > 6) & (snr < 7)].mean() > 0.75
    assert 0.4 < found[(snr > 5) & (snr < 6)].mean() < 0.95  # half are below five by noise alone
    distance, _ = cKDTree(np.stack([field.x, field.y], axis=1)).query(
        np.stack([measured.columns["x"], measured.columns["y"]], axis=1)
    )
    assert (distance > 4).sum() <= 2


def test_stars_and_galaxies_are_told_apart():
    field = starfield.crowd((768, 768), 90, 90, seed=4, snr_min=40, is_varying=True)
    measured = frame.characterize(field.image, frame.Limits(), 1)
    found, k = matched(field, measured)
    c = measured.columns
    assert np.nanmean(c["extendedness"][k[found & field.is_star]]) < 0.1
    assert np.nanmean(c["extendedness"][k[found & ~field.is_star]]) > 0.95


def pair(distance, ratio):
    """A frame with PSF stars around and two stars side by side in the middle."""
    calm = starfield.grid((400, 400), 57, (200, 300), seed=3, is_varying=False)
    away = np.hypot(calm.x - 200, calm.y - 200) > 45
    bright = 150 * starfield.noise_flux(FWHM, 3000.0)
    x = np.append(calm.x[away], [200.2, 200.2 + distance])
    y = np.append(calm.y[away], [199.7, 199.7])
    flux = np.append(calm.flux[away], [bright, ratio * bright])
    field = starfield.make((400, 400), x, y, flux, np.ones(len(x), bool), seed=3, is_varying=False)
    return field, frame.characterize(field.image, frame.Limits(), 1)


@pytest.mark.parametrize(("distance", "ratio"), [(7.0, 1.0), (8.0, 0.5), (12.0, 0.2)])
def test_blended_pairs_are_parted_and_keep_their_flux(distance, ratio):
    field, measured = pair(distance, ratio)
    c = measured.columns
    found, k = matched(field, measured)
    assert found[-2:].all()
    one, two = k[-2:]
    assert ((c["flags"][[one, two]] >> flags.BIT["blended"]) & 1).all()
    assert c["parent"][one] == c["parent"][two] >= 0
    assert c["n_child"][c["parent"][one]] == 2
    part = in_twelve_pixels()
    for child, true in ((one, field.flux[-2]), (two, field.flux[-1])):
        assert c["psf_flux"][child] == pytest.approx(part * true, rel=0.03)
    # the children's pixels sum to the parent's
    whole = c["aper"][c["parent"][one], 6]
    assert c["aper"][one, 6] + c["aper"][two, 6] - whole == pytest.approx(0.0, abs=0.02 * whole)


def test_shares_of_a_blend_sum_to_one():
    from hscdb.detect import deblend, footprint
    from hscdb.image.psf import gaussian

    psf = gaussian(1.7, (80, 90))
    image = np.zeros((80, 90), np.float32)
    for x, y, flux in ((40.0, 40.0, 9e4), (47.3, 41.0, 5e4), (43.0, 49.0, 3e4)):
        stamp, x0, y0 = psf.image(x, y)
        image[y0 : y0 + stamp.shape[0], x0 : x0 + stamp.shape[1]] += flux * stamp
    variance = np.full(image.shape, 900.0, np.float32)
    noise = np.full((1, 1), 30.0), np.array([45.0]), np.array([40.0])
    found = footprint.find(image.copy(), noise, variance, 5.0, 3)
    assert len(found.x) == 3
    assert len(np.unique(found.blend)) == 1
    x, y = found.x.astype(float), found.y.astype(float)
    children = deblend.divide(
        image, variance, found.basin, found.blend, x, y, found.box, np.arange(3), psf.at_many(x, y), 1.7
    )
    total = np.zeros(image.shape)
    for k, (x0, y0, x1, y1) in enumerate(children.box):
        part = children.share[children.start[k] : children.start[k + 1]].reshape(y1 - y0 + 1, x1 - x0 + 1)
        total[y0 : y1 + 1, x0 : x1 + 1] += part
    assert total[found.basin >= 0] == pytest.approx(1.0, abs=1e-5)
    assert (total[found.basin < 0] == 0).all()
    assert children.is_psf.all()


@pytest.mark.parametrize("limit", [{"deblend_area_max_pix": 300}, {"deblend_n_peak_max": 1}])
def test_a_blend_beyond_the_limits_is_not_taken_apart_and_says_so(limit):
    field, parted = pair(7.0, 1.0)
    whole = frame.characterize(field.image, frame.Limits(**limit), 1)
    found, k = matched(field, whole)
    assert found[-2:].all()
    bit, plane = flags.BIT["not_deblended"], mask.word("NOT_DEBLENDED")
    c = whole.columns
    parent = c["parent"][k[-1]]
    told = np.flatnonzero((c["flags"] >> bit) & 1)
    assert set(told) == {parent, *k[-2:]}
    column, row = np.rint(c["x"][told]).astype(int), np.rint(c["y"][told]).astype(int)
    assert (whole.image.mask[row, column] & plane).all()
    assert ((whole.image.mask & plane) != 0).sum() == c["n_pixel"][parent] == c["n_pixel"][k[-2:]].sum()
    assert not ((parted.columns["flags"] >> bit) & 1).any()
    assert not (parted.image.mask & plane).any()
    assert (matched(field, parted)[0] == found).all()  # no source is lost by it


def test_errors_know_the_noise_of_the_psf_and_of_the_division():
    psf = replace(gaussian(1.7, (50, 50)), noise=np.array([[1e-4]]))  # worth a star of S/N 100
    columns = {name: np.full(3, 0.01) for name in ("x_err", "y_err", "x_y_cov")}
    columns |= {"x": np.full(3, 20.0), "y": np.full(3, 20.0), "blendedness": np.array([0.0, 0.0, 0.2])}
    columns |= {"psf_flux": np.array([1e4, 1e2, 1e4]), "psf_flux_err": np.array([1e2, 1e2, 1e2])}
    measure._widen(columns, np.array([False, False, True]), psf)
    assert columns["x_err"] == pytest.approx(0.01 * np.sqrt([2.0, 1.0001, 2.0]))
    assert columns["x_y_cov"] == pytest.approx(0.01 * np.array([2.0, 1.0001, 2.0]))
    of_division = measure.DIVISION_ERROR * 1e4 * 0.25
    assert columns["psf_flux_err"] == pytest.approx([100 * 2**0.5, 100 * 1.0001**0.5, np.hypot(141.42, of_division)])


def test_flags_tell_what_the_pixels_suffered():
    field = starfield.grid((400, 400), 40, (80, 300), seed=9)
    plane = field.image.mask
    spoilt = {"saturated": mask.SAT, "suspect": mask.SUSPECT, "interpolated": mask.INTRP, "bad": mask.BAD,
              "crosstalk": mask.CROSSTALK}  # fmt: skip
    struck = {}
    for name, bit in spoilt.items():
        star = 11 * len(struck) + 13
        struck[name] = star
        plane[round(field.y[star]), round(field.x[star])] |= bit
    plane[:, 395:] |= mask.EDGE
    measured = frame.characterize(field.image, frame.Limits(), 1)
    found, k = matched(field, measured)
    assert found[list(struck.values())].all()
    words = measured.columns["flags"][k]
    for name, star in struck.items():
        assert (words[star] >> flags.BIT[name]) & 1
        for other in set(spoilt) - {name}:
            assert not (words[star] >> flags.BIT[other]) & 1
        center = flags.BIT.get(f"{name}_center")
        assert center is None or (words[star] >> center) & 1
    edge = (words >> flags.BIT["edge"]) & 1
    assert edge[found & (field.x > 391)].all()
    assert not edge[found & (field.x < 370) & (field.x > 20) & (field.y > 20) & (field.y < 380)].any()
    used = flags.word("psf_used", "psf_reserved")
    assert ((measured.columns["flags"] & used) != 0).sum() == (~measured.stars.is_rejected).sum()


def test_a_masked_column_through_a_star_does_not_change_its_flux():
    field = starfield.grid((400, 400), 40, (200, 300), seed=5)
    star = 45
    column = round(field.x[star]) + 1
    field.image.data[:, column] = np.nan
    measured = frame.characterize(field.image, frame.Limits(), 1)
    found, k = matched(field, measured)
    assert found[star]
    assert measured.columns["psf_flux"][k[star]] == pytest.approx(in_twelve_pixels() * field.flux[star], rel=0.03)
    assert np.isfinite(measured.image.data).all()


def test_what_goes_in_is_not_changed():
    field = starfield.grid((200, 200), 40, (50, 200), seed=5)
    before = field.image.data.copy(), field.image.mask.copy(), field.image.variance.copy()
    frame.characterize(field.image, frame.Limits(), 1)
    for old, new in zip(before, (field.image.data, field.image.mask, field.image.variance), strict=True):
        assert (old == new).all()


def test_a_sky_subtracted_image_without_a_variance_plane_is_measured():
    field = starfield.grid((256, 256), 40, (20, 300), seed=6)
    scale = 0.01  # units unknown
    data = (field.image.data - np.median(field.image.data)).astype(np.float64) * scale
    image = Image(data.astype(np.float32), np.zeros(data.shape, np.float32), field.image.mask)
    measured = frame.characterize(image, frame.Limits(cr_charge_min_e=4.5), 1)
    found, k = matched(field, measured)
    assert found.mean() > 0.9
    snr = measured.columns["psf_flux"][k[found]] / measured.columns["psf_flux_err"][k[found]]
    true = field.flux[found] / starfield.noise_flux(FWHM, field.sky)
    assert np.median(snr / true) == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize(
    ("bit", "code"), [(mask.BAD, "no_pixels"), (mask.NO_DATA, "no_pixels"), (mask.SAT, "all_saturated")]
)
def test_a_frame_without_usable_pixels_is_refused(bit, code):
    field = starfield.make((100, 100), [], [], [], [])
    field.image.mask[:] = bit
    with pytest.raises(DataError) as caught:
        frame.characterize(field.image, frame.Limits(), 1)
    assert caught.value.code == code


def test_half_a_frame_is_measured_in_its_other_half():
    field = starfield.grid((400, 400), 40, (30, 300), seed=8)
    field.image.mask[:, :200] |= mask.NO_DATA
    field.image.data[:, :200] = np.nan
    measured = frame.characterize(field.image, frame.Limits(), 1)
    found, _ = matched(field, measured)
    assert found[field.x > 210].all()
    assert not found[field.x < 190].any()


def test_rows_have_the_columns_and_numbers_of_the_table():
    _, measured = pair(7.0, 1.0)
    rows = catalog.sources(measured, 1, 2, 902798, 50)
    assert rows["source_id"][0] == ((902798 * 200 + 50) << 32) + 1
    children = rows[rows["parent_id"] != 0]
    assert len(children) == 2
    parent = rows[rows["source_id"] == children["parent_id"][0]]
    assert parent["n_child"].tolist() == [2]
    table, units, cards = catalog.src(rows)
    assert table["base_PsfFlux_instFlux"].tolist() == rows["psf_flux_e"].tolist()
    assert units["base_SdssCentroid_x"] == "pix"
    names = {key: word for key, word, _ in cards if key.startswith("TFLAG")}
    blended = next(int(key[5:]) - 1 for key, word in names.items() if word == "hscdb_blended")
    assert (table["flags"][:, blended] == (rows["parent_id"] != 0)).all()
    quality = catalog.quality(measured, 1, 2, 902798, 50, 0.168)
    assert 0.5 < quality["seeing_arcsec"][0] < 0.85
    assert quality["n_source"][0] == len(rows)


def test_a_child_whose_light_all_went_to_others_has_no_peak_value(monkeypatch):
    def divide(*args):
        children = deblend.divide(*args)
        n_own = int(children.start[1] - children.start[0])
        children.share[children.start[0] : children.start[0] + n_own] = 0.0
        return children

    monkeypatch.setattr(targets, "deblend", SimpleNamespace(divide=divide))
    field = starfield.crowd((300, 300), 80, 20, fwhm=FWHM)
    columns = frame.characterize(field.image, frame.Limits(), 1).columns
    assert np.isnan(columns["peak"]).sum() == 1
    assert not any(np.isinf(column).any() for column in columns.values() if column.dtype.kind == "f")


def test_the_spread_of_stars_is_none_and_that_of_galaxies_much():
    field = starfield.crowd((768, 768), 90, 90, seed=4, snr_min=40, is_varying=True)
    measured = frame.characterize(field.image, frame.Limits(), 1)
    found, k = matched(field, measured)
    c = measured.columns
    star, galaxy = k[found & field.is_star], k[found & ~field.is_star]
    pull = c["spread"][star] / c["spread_err"][star]
    assert abs(np.nanmedian(pull)) < 0.5
    assert 0.6 < 1.4826 * np.nanmedian(np.abs(pull)) < 1.6  # blends widen it
    assert np.nanmean(c["spread"][galaxy] > 3 * c["spread_err"][galaxy]) > 0.95


def test_a_hole_in_the_sky_is_a_negative_detection_if_asked_for():
    field = starfield.grid((400, 400), 40, (30, 300), seed=8)
    free = np.hypot(field.x - 240.0, field.y - 200.0).min() > 15
    assert free
    stamp = starfield.make((61, 61), [30.0], [30.0], [1.0], [True], fwhm=FWHM, is_varying=False).model
    depth = 30 * starfield.noise_flux(FWHM, field.sky)
    field.image.data[170:231, 210:271] -= (depth * stamp).astype(np.float32)
    plain = frame.characterize(field.image, frame.Limits(), 1)
    assert plain.n_negative == 1
    assert (plain.image.mask[200, 240] & mask.DETECTED_NEGATIVE) != 0
    assert not (plain.columns["flags"] & flags.word("negative")).any()
    asked = frame.characterize(field.image, frame.Limits(do_negative=True), 1)
    row = np.flatnonzero(asked.columns["flags"] & flags.word("negative"))
    assert len(row) == 1
    c = asked.columns
    assert len(c["x"]) == len(plain.columns["x"]) + 1
    assert (c["x"][row[0]], c["y"][row[0]]) == pytest.approx((240.0, 200.0), abs=0.2)
    assert c["psf_flux"][row[0]] == pytest.approx(-in_twelve_pixels() * depth, rel=0.1)
    assert np.isnan(c["extendedness"][row[0]])
    others = np.delete(np.arange(len(c["x"])), row)
    assert c["psf_flux"][others].tolist() == plain.columns["psf_flux"].tolist()


def test_a_frame_of_few_stars_flags_its_sources():
    many = frame.characterize(starfield.grid((400, 400), 40, (100, 300), seed=5).image, frame.Limits(), 1)
    few = starfield.make((300, 300), [60, 200, 90, 230.0], [70, 80, 220, 210.0], [9e4] * 4, [True] * 4, seed=2)
    weak = flags.word("psf_weak")
    assert not (many.columns["flags"] & weak).any()
    assert (frame.characterize(few.image, frame.Limits(), 1).columns["flags"] & weak).all()


def test_bright_and_faint_stars_of_one_psf_have_no_bias_in_flux(lonely):
    ratio, snr = [], []
    for field, measured in lonely:
        found, k = matched(field, measured)
        ratio.append(measured.columns["psf_flux"][k[found]] / field.flux[found])
        snr.append(field.flux[found] / starfield.noise_flux(FWHM, field.sky))
    ratio, snr = np.concatenate(ratio), np.concatenate(snr)
    bright, middle = (np.median(ratio[(snr > low) & (snr < high)]) for low, high in ((200, 500), (50, 200)))
    assert bright / middle == pytest.approx(1.0, abs=0.004)


def test_filled_columns_make_no_sources():
    field = starfield.make((700, 700), [], [], [], [], seed=12)
    columns = [x for first in range(40, 660, 10) for x in (first, first + 1, first + 2)]
    for x in columns:  # three columns filled from the next good one, as isr fills: their noise is one
        field.image.data[:, x] = field.image.data[:, x // 10 * 10 - 1]
        field.image.mask[:, x] |= mask.BAD | mask.INTRP
    measured = frame.characterize(field.image, frame.Limits(do_scale_variance=False), 1)
    assert len(measured.columns["x"]) <= 1
    assert measured.n_negative <= 1


def test_a_star_on_a_filled_column_is_found_by_the_rest_of_it():
    field = starfield.grid((400, 400), 40, (60, 100), seed=5)
    column = round(field.x[45])
    field.image.mask[:, column] |= mask.BAD | mask.INTRP
    field.image.data[:, column] = 0.5 * (field.image.data[:, column - 1] + field.image.data[:, column + 1])
    measured = frame.characterize(field.image, frame.Limits(), 1)
    assert matched(field, measured)[0][45]


def test_a_star_whose_core_was_lost_as_a_whole_keeps_its_place():
    field = starfield.grid((400, 400), 40, (60, 100), seed=5)
    field.image.data[193:208, 193:208] = 40_000.0  # no star of the grid is here; weights of 0 came with the frame
    field.image.mask[190:211, 190:211] |= mask.BAD
    measured = frame.characterize(field.image, frame.Limits(), 1)
    inside = (np.abs(measured.columns["x"] - 200) < 10) & (np.abs(measured.columns["y"] - 200) < 10)
    assert inside.sum() >= 1
    assert (measured.image.mask[200, 200] & mask.DETECTED) != 0
