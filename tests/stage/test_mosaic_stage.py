"""mosaic on made worlds: the truth comes back, rows and files say the same, what cannot be solved is told."""

from collections.abc import Iterator

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from joint_tables import database, repository, rows, run, source_ids, star_ids
from joint_world import HSC_CCDS, Wcs, World, build

from hscdb.mosaic import stage
from hscdb.sky import sphere
from hscdb.sky.polynomial import unflatten

MAS = 3.6e6


class Solved:
    """A world and the repository in which it was solved."""

    def __init__(self, world: World, opened, outcome) -> None:
        self.world, self.repository, self.outcome = world, opened, outcome

    def rows(self, statement, *params):
        return rows(self.repository, statement, *params)

    def wcs(self):
        """{(visit, ccd): (row, Wcs)} of the joint solution."""
        found = self.rows("SELECT *, sip_a::float8[] AS a, sip_b::float8[] AS b FROM wcs_solution "
                          "WHERE stage = 'mosaic' ORDER BY visit, ccd")  # fmt: skip
        return {(r.visit, r.ccd): (r, Wcs.from_flat(
            (r.crval1_deg, r.crval2_deg), (r.crpix1_pix, r.crpix2_pix),
            [r.cd1_1_deg, r.cd1_2_deg, r.cd2_1_deg, r.cd2_2_deg], r.sip_order, r.a, r.b)) for r in found}  # fmt: skip

    def scales(self):
        """{(visit, ccd): row} of the joint flux scale."""
        found = self.rows("SELECT *, poly_mag::float8[] AS poly FROM flux_scale WHERE stage = 'mosaic'")
        return {(r.visit, r.ccd): r for r in found}

    def summary(self):
        return self.rows("SELECT * FROM mosaic_solution")[0]

    def failures(self):
        return {code for report in self.outcome.reports for _, code, _ in report.failures}

    def message(self):
        return " ".join(text for report in self.outcome.reports for _, _, text in report.failures)

    def grid(self, ccd, n=7):
        chip = self.world.camera.ccds[ccd]
        x, y = np.meshgrid(np.linspace(0, chip.width - 1, n), np.linspace(0, chip.height - 1, n))
        return x.ravel(), y.ravel()

    def wcs_error_mas(self):
        """{(visit, ccd): errors of the WCS on a grid}."""
        return {
            (v, c): sphere.separation(*wcs.pixel_to_sky(*self.grid(c)), *self.world.to_sky(v, c, *self.grid(c))) * MAS
            for (v, c), (_, wcs) in self.wcs().items()
        }

    def scale_mag(self, visit, ccd, x, y):
        """AB minus instrumental magnitude by the rows, as documented in flux_scale."""
        r, (_, wcs) = self.scales()[visit, ccd], self.wcs()[visit, ccd]
        p = np.polynomial.polynomial.polyval2d(x + r.x0_pix, y + r.y0_pix, unflatten(r.poly, r.poly_order))
        return 2.5 * np.log10(r.flux_mag0_e) + p - 2.5 * np.log10(wcs.pixel_area(x, y) / r.jacobian_area_deg2)

    def scale_error_mmag(self):
        errors = [
            1000 * (self.scale_mag(v, c, *self.grid(c)) - self.world.scale_mag(v, c, *self.grid(c)))
            for v, c in self.scales()
        ]
        return dict(zip(self.scales(), errors, strict=True))


@pytest.fixture(scope="module")
def exact(server_dsn, template, tmp_path_factory) -> Iterator[Solved]:
    """HSC with CCDs in all four orientations, hardly any noise."""
    world = build("hsc", HSC_CCDS, per_ccd=110, noise_pix=2e-4, mag_noise=2e-4, ref_mas=0.05)
    world.ref_mag_err = 5e-4
    with (
        database(server_dsn, template, "hscdb_mosaic_exact") as dsn,
        repository(tmp_path_factory.mktemp("exact"), dsn, world) as opened,
    ):
        # references are believed to what they are worth here
        words = ["mosaic.ref_position_floor_mas=0.02", "mosaic.ref_magnitude_floor_mag=0.0002"]
        yield Solved(world, opened, run(opened, "mosaic", words=words))


@pytest.fixture(scope="module")
def noisy(server_dsn, template, tmp_path_factory) -> Iterator[Solved]:
    """The toy camera with noise, outliers in both, a variable star and a wrong reference."""
    world = build(per_ccd=80, noise_pix=0.02, mag_noise=0.004, n_visit=6, seed=4)
    d, rng = world.detections, np.random.default_rng(5)
    often = np.flatnonzero(np.bincount(d["star"], minlength=world.mag.size) >= 5)
    free = often[~world.is_reserved[often] & world.has_ref[often]]
    world.extra |= {
        "variable": int(free[0]),
        "ambiguous": free[1:3].tolist(),
        "ref_shift_mas": {int(free[3]): (400, 0)},
    }
    flicker = d["star"] == free[0]
    d["flux"][flicker] *= 10 ** (-0.4 * 0.4 * np.where(np.arange(flicker.sum()) % 2, 1, -1))
    plain = np.flatnonzero(np.isin(d["star"], often) & ~world.is_reserved[d["star"]] & ~np.isin(d["star"], free[:4]))
    shifted, bright = rng.permutation(plain)[:40].reshape(2, 20)
    d["x"][shifted] += 3.0
    for k in shifted:
        d["ra"][k], d["dec"][k] = world.wcs[int(d["visit"][k]), int(d["ccd"][k])].pixel_to_sky(d["x"][k], d["y"][k])
    d["flux"][bright] *= 1.5
    world.extra |= {"shifted": shifted, "bright": bright}
    world.ref_mag_err = 0.02
    with (
        database(server_dsn, template, "hscdb_mosaic_noisy") as dsn,
        repository(tmp_path_factory.mktemp("noisy"), dsn, world) as opened,
    ):
        yield Solved(world, opened, run(opened, "mosaic"))


def solver(dsn, place):
    """What takes a world in and gives it solved, until it is asked to end."""
    opened = []

    def solve(world, *words, stages=("mosaic",)):
        context = repository(place / "repository", dsn, world)
        opened.append(context)
        return Solved(world, (one := context.__enter__()), run(one, *stages, words=words))

    yield solve
    for context in opened:
        context.__exit__(None, None, None)


@pytest.fixture
def solve(fresh_dsn, tmp_path):
    """A world in, solved out."""
    yield from solver(fresh_dsn, tmp_path)


def test_the_wcs_of_every_frame_is_the_truth(exact):
    errors = exact.wcs_error_mas()
    assert set(errors) == set(exact.world.frames)
    assert {row.status for row, _ in exact.wcs().values()} == {"solved"}
    assert max(e.max() for e in errors.values()) < 0.2
    assert np.mean([e.mean() for e in errors.values()]) < 0.04


def test_the_flux_scale_of_every_frame_is_the_truth(exact):
    errors = exact.scale_error_mmag()
    assert set(errors) == set(exact.world.frames)
    every = np.concatenate(list(errors.values()))
    assert np.sqrt(np.mean(every**2)) < 0.15
    assert np.abs(every).max() < 1.0


def test_magnitudes_of_stars_are_the_truth(exact):
    found = exact.rows("SELECT star_id, ra, dec, mag, ref_mag, is_reserved FROM star_solution ORDER BY star_id")
    star = found.star_id - 1
    assert set(star) == set(star_ids(exact.world))
    error = found.mag - exact.world.mag[star]
    assert np.abs(error).max() < 1e-3
    # color terms are applied: ref_mag is in the camera's filter
    known = np.isfinite(found.ref_mag)
    assert np.array_equal(known, exact.world.has_ref[star])
    assert np.std(found.ref_mag[known] - exact.world.mag[star][known]) == pytest.approx(5e-4, rel=0.2)


def test_ccd_shifts_turns_and_offsets_are_the_truth_up_to_what_visits_can_take(exact):
    found = exact.rows("SELECT * FROM mosaic_ccd ORDER BY ccd")
    truth = np.array([exact.world.ccd_terms[c] for c in found.ccd])
    chips = [exact.world.camera.ccds[c] for c in found.ccd]
    # a shift, turn or stretch common to all CCDs is the visits' to take
    design = np.array([[1.0, c.u_pix / 1e4, c.v_pix / 1e4] for c in chips])
    got = np.stack([found.shift_u_pix, found.shift_v_pix], axis=1) - truth[:, :2]
    left = got - design @ np.linalg.lstsq(design, got, rcond=None)[0]
    assert np.abs(left).max() < 0.1 < np.abs(truth[:, :2] - truth[:, :2].mean(axis=0)).max()
    assert np.std(found.turn_rad - truth[:, 2]) < 0.15 * np.std(truth[:, 2])
    # of a CCD far from the others, its offset and the field are one
    near = found.ccd < 100
    error = (found.scale_mag - np.array([exact.world.ccd_mag[c] for c in found.ccd]))[near]
    assert np.std(error) < 5e-4 < 0.1 * np.std(found.scale_mag[near])


def test_files_say_what_the_rows_say(exact):
    paths = exact.rows("SELECT dataset, visit, ccd, tract, path FROM product ORDER BY dataset, visit, ccd")
    assert len(paths) == 2 * len(exact.world.frames)
    wcs, scales = exact.wcs(), exact.scales()
    for one in paths:
        chip, x, y = exact.world.camera.ccds[one.ccd], *exact.grid(one.ccd, 4)
        header = fits.getheader(exact.repository.path / one.path)
        key = one.visit, one.ccd
        assert one.path.startswith("rerun/joint/00077/HSC-R/corr/0000/")
        if one.dataset == "wcs":
            assert header["NAXIS"] == 0
            del header["NAXIS"]  # astropy warns of more axes than pixels
            theirs = WCS(header).all_pix2world(x, y, 0)
            assert (sphere.separation(*theirs, *wcs[key][1].pixel_to_sky(x, y)) * MAS).max() < 1e-4
            told = exact.rows("SELECT rms_mas, CAST(place_mas_err AS float8[]) AS nine FROM wcs_solution"
                              f" WHERE stage = 'mosaic' AND visit = {one.visit} AND ccd = {one.ccd}")[0]  # fmt: skip
            assert header["ASTRMS"] == pytest.approx(told.rms_mas)
            error = np.sqrt(np.mean(np.square(told.nine))) / MAS
            assert WCS(header).wcs.crder == pytest.approx([error, error])
            continue
        row, w, h = scales[key], chip.width, chip.height
        # mosaic's frame: turned by the CCD's quarter turns, origin at the lower left as seen in the focal plane
        tx, ty = {0: (x, y), 1: (h - 1 - y, x), 2: (w - 1 - x, h - 1 - y), 3: (y, w - 1 - x)}[chip.n_quarter]
        n = header["ORDER"]
        eval_ = sum(
            header[f"C_{p}_{q}"] * (tx + header["X0"]) ** p * (ty + header["Y0"]) ** q
            for p in range(n + 1) for q in range(n + 1 - p)
        )  # fmt: skip
        p = np.polynomial.polynomial.polyval2d(x + row.x0_pix, y + row.y0_pix, unflatten(row.poly, row.poly_order))
        np.testing.assert_allclose(eval_, p, atol=1e-9)
        assert abs(header["C_0_0"]) < 1e-15
        assert header["NCOEFF"] == (n + 1) * (n + 2) // 2
        assert (header["CHEBYSHEV"], header["U_MAX"], header["V_MAX"]) == (False, 1.0, 1.0)
        assert header["FLUXMAG0"] == pytest.approx(row.flux_mag0_e, rel=1e-13)
        assert header["FLUXMAG0ERR"] == pytest.approx(row.flux_mag0_e_err, rel=1e-13)
        assert header["FLUXMAG0"] == pytest.approx(10 ** (0.4 * (row.visit_mag + row.ccd_mag)), rel=1e-12)
        assert header["JACAREA"] == pytest.approx(row.jacobian_area_deg2, rel=1e-13)


def test_one_polynomial_holds_for_all_ccds_of_a_visit(exact):
    """The optical centre, where P = 0 and J = 1, is one place whatever the CCD's orientation."""
    for (visit, ccd), row in exact.scales().items():
        if visit != 1000:
            continue
        chip, (_, wcs) = exact.world.camera.ccds[ccd], exact.wcs()[visit, ccd]
        yaw = np.radians(chip.yaw_deg)
        x, y = -row.x0_pix, -row.y0_pix
        u = chip.u_pix + np.cos(yaw) * (x - chip.center_x_pix) - np.sin(yaw) * (y - chip.center_y_pix)
        v = chip.v_pix + np.sin(yaw) * (x - chip.center_x_pix) + np.cos(yaw) * (y - chip.center_y_pix)
        assert np.hypot(u, v) < 1e-6
        if ccd in (49, 50):  # the centre lies just off these two
            assert float(wcs.pixel_area(x, y)) / row.jacobian_area_deg2 == pytest.approx(1.0, abs=2e-5)


def test_every_detection_has_a_row_that_says_why_it_was_not_used(noisy):
    found = noisy.rows("SELECT * FROM star_residual ORDER BY source_id")
    world, d = noisy.world, noisy.world.detections
    ids = source_ids(world)
    seen = np.isin(d["star"], star_ids(world))
    assert np.array_equal(found.source_id, np.sort(ids[seen]))
    for kind in ("astrometry", "photometry"):
        used, reason = found[f"is_used_{kind}"], found[f"reason_{kind}"]
        assert np.array_equal(used, np.array([r is None for r in reason]))
        reserved = world.is_reserved[found.star_id - 1]
        assert set(reason[reserved & ~np.isin(found.star_id - 1, world.extra["ambiguous"])]) == {"reserved"}
        assert set(reason[np.isin(found.star_id - 1, world.extra["ambiguous"])]) == {"ambiguous"}
        assert set(reason) == {None, "reserved", "ambiguous", "outlier"}


def test_planted_outliers_are_found_and_few_others(noisy):
    found = noisy.rows("SELECT source_id, star_id, reason_astrometry, reason_photometry FROM star_residual")
    ids = source_ids(noisy.world)
    moved, bright = (set(ids[noisy.world.extra[name]]) for name in ("shifted", "bright"))
    out = set(found.source_id[found.reason_astrometry == "outlier"])
    assert moved <= out
    assert len(out - moved) <= 2
    out = set(found.source_id[found.reason_photometry == "outlier"])
    variable = set(found.source_id[found.star_id == noisy.world.extra["variable"] + 1])
    assert bright <= out
    assert len(variable & out) >= 2  # of five: the three on one side outvote them
    assert len(out - bright - variable) <= 2


def test_a_variable_star_still_serves_the_positions(noisy):
    found = noisy.rows(
        "SELECT is_used_astrometry FROM star_residual WHERE star_id = %s", noisy.world.extra["variable"] + 1
    )
    assert found.is_used_astrometry.all()


def test_the_solution_is_as_good_as_the_noise_allows(noisy):
    """0.02 pix are 3.4 mas; each visit has some 100 stars for 21 terms."""
    errors = np.concatenate(list(noisy.wcs_error_mas().values()))
    assert np.sqrt(np.mean(errors**2) / 2) < 0.75 * 3.36
    summary = noisy.summary()
    assert summary.astrometry_chi2 / summary.astrometry_dof == pytest.approx(1.0, abs=0.1)
    assert summary.photometry_chi2 / summary.photometry_dof == pytest.approx(1.0, abs=0.1)
    assert summary.is_accepted
    assert summary.position_floor_mas < 1.5
    model = summary.model
    assert model["judged_by"] == "reserved"
    assert 2.8 < model["position_rms_after_mas"] < 4.5 < model["position_rms_before_mas"]
    assert 3.2 < model["mag_rms_after_mmag"] < 6.0 < model["mag_rms_before_mmag"]
    spread = np.concatenate(list(noisy.scale_error_mmag().values()))
    assert np.std(spread) < 4.5  # 230 references of 20 mmag, for all that is common to the visits


def test_residuals_are_detections_by_the_new_solution_minus_stars(noisy):
    found = noisy.rows(
        "SELECT r.*, s.ra AS star_ra, s.dec AS star_dec, s.mag AS star_mag, x_pix, y_pix, aper_12_0_flux_e AS flux "
        "FROM star_residual r JOIN star_solution s USING (task_id, star_id) "
        "JOIN source o ON o.source_id = r.source_id WHERE s.ra + s.mag IS NOT NULL "
        "AND NOT EXISTS (SELECT 1 FROM star_ref f WHERE f.star_id = r.star_id)"
    )
    assert len(found) > 300
    wcs = noisy.wcs()
    for key in noisy.world.frames:
        mine = found[(found.visit == key[0]) & (found.ccd == key[1])]
        ra, dec = wcs[key][1].pixel_to_sky(mine.x_pix, mine.y_pix)
        east, north = sphere.project(ra, dec, mine.star_ra, mine.star_dec)
        np.testing.assert_allclose(east * MAS, mine.ra_after_mas, atol=0.05)
        np.testing.assert_allclose(north * MAS, mine.dec_after_mas, atol=0.05)
        mag = -2.5 * np.log10(mine.flux) + noisy.scale_mag(*key, mine.x_pix, mine.y_pix)
        np.testing.assert_allclose(mag, mine.mag, atol=2e-5)
        np.testing.assert_allclose(1000 * (mag - mine.star_mag), mine.mag_after_mmag, atol=0.05)


def test_first_residuals_are_about_the_plain_mean_of_the_star(noisy):
    found = noisy.rows(
        "SELECT r.star_id, r.ra_before_mas, r.dec_before_mas, r.mag_before_mmag, s.ra, s.dec, s.flux_njy "
        "FROM star_residual r JOIN source_sky s USING (source_id, visit) "
        "WHERE NOT EXISTS (SELECT 1 FROM star_ref f WHERE f.star_id = r.star_id) ORDER BY r.star_id"
    )
    for star in np.unique(found.star_id)[:60]:
        mine = found[found.star_id == star]
        center = sphere.mean_position(mine.ra, mine.dec)
        east, north = sphere.project(mine.ra, mine.dec, *center)
        np.testing.assert_allclose((east - east.mean()) * MAS, mine.ra_before_mas, atol=0.02)
        np.testing.assert_allclose((north - north.mean()) * MAS, mine.dec_before_mas, atol=0.02)
        mag = -2.5 * np.log10(mine.flux_njy)
        np.testing.assert_allclose(1000 * (mag - mag.mean()), mine.mag_before_mmag, atol=0.01)


def test_doing_it_again_gives_the_same_rows(noisy):
    tables = {
        "wcs_solution": "visit, ccd, tract, status, crval1_deg, crval2_deg, cd1_1_deg, sip_a::text, n_star, rms_mas",
        "flux_scale": "visit, ccd, tract, status, flux_mag0_e, poly_mag::text, n_star, rms_mag",
        "star_residual": "source_id, ra, dec, mag, ra_after_mas, mag_after_mmag, reason_astrometry, reason_photometry",
        "star_solution": "star_id, ra, dec, mag", "mosaic_ccd": "ccd, shift_u_pix, turn_rad, scale_mag",
        "mosaic_visit": "visit, xi_deg::text, zero_point_mag, poly_mag::text", "product": "path, sha256",
        "mosaic_solution": "astrometry_chi2, photometry_chi2, model::text",
    }  # fmt: skip

    def contents():
        return {t: noisy.rows(f"SELECT {columns} FROM {t} ORDER BY 1, 2").tolist() for t, columns in tables.items()}

    first = contents()
    again = run(noisy.repository, "mosaic", redo=True)
    assert again.reports[0].n_done == 1 or not again.reports[0].failures
    assert repr(contents()) == repr(first)


def test_a_visit_that_overlaps_nothing_is_left_out_by_name(solve):
    world = build(ref_fraction=0.0, first_mas=20.0)
    d = world.detections
    far = d["visit"] == 1004
    d["star"][far] += world.mag.size  # stars that nobody else has seen
    world.mag = np.tile(world.mag, 2)
    for name in ("star_ra", "star_dec", "color", "is_reserved", "has_ref"):
        setattr(world, name, np.tile(getattr(world, name), 2))
    solved = solve(world)
    assert not solved.failures()
    assert {v for v, _ in solved.wcs()} == set(world.visits) - {1004}
    assert list(solved.summary().model["left_out_visits"]) == ["1004"]
    assert "shares 0 usable stars" in solved.summary().model["left_out_visits"]["1004"]
    assert solved.rows("SELECT funnel FROM task WHERE stage = 'mosaic'")[0].funnel["n_visit_solved"] == 4


def few(world, ccd, n):
    """Only n stars are left on a CCD, in all visits together."""
    d = world.detections
    here = np.flatnonzero(d["ccd"] == ccd)
    star = np.unique(d["star"][here])
    often = star[np.argsort(-np.bincount(d["star"])[star], kind="stable")]
    often = often[~world.is_reserved[often]][:n]
    world.detections = d[(d["ccd"] != ccd) | np.isin(d["star"], often)]
    return world


@pytest.mark.parametrize("n", [2, 3])
def test_a_ccd_of_two_or_three_stars_keeps_its_place_in_the_camera(solve, n):
    world = few(build(shift_pix=0.05, turn=2e-5, noise_pix=0.01), 3, n)
    solved = solve(world)
    assert {key for key in solved.wcs()} == set(world.frames)
    status = {key: row.status for key, (row, _) in solved.wcs().items()}
    n_star = {key: row.n_star for key, (row, _) in solved.wcs().items()}
    assert all((status[key] == "solved") == (n_star[key] >= 3) for key in status)
    errors = solved.wcs_error_mas()
    # the first calibrations, 60 mas off, are bettered even where a polynomial of order 5 leaves its data
    assert np.mean([e.mean() for (_, c), e in errors.items() if c == 3]) < 30.0
    assert max(e.max() for e in errors.values()) < 300.0
    assert max(e.max() for (_, c), e in errors.items() if c != 3) < 15.0
    assert max(np.abs(e).max() for e in solved.scale_error_mmag().values()) < 60.0


def test_a_ccd_without_stars_is_extrapolated_and_said_so(solve):
    world = few(build(shift_pix=0.05, turn=2e-5, noise_pix=0.01), 3, 0)
    solved = solve(world)
    assert {row.status for (_, ccd), (row, _) in solved.wcs().items() if ccd == 3} == {"extrapolated"}
    assert {row.status for (_, ccd), row in solved.scales().items() if ccd == 3} == {"extrapolated"}
    assert {row.status for (_, ccd), (row, _) in solved.wcs().items() if ccd != 3} == {"solved"}
    notes = solved.summary().model
    rows = solved.rows("SELECT ccd, frame_place_err(w, 200, 200) AS err FROM wcs_solution AS w WHERE stage = 'mosaic'")
    assert min(rows.err[rows.ccd == 3]) > 20.0  # its place in the camera is known to 0.3 pix of 0.2 arcsec at best
    assert max(rows.err[rows.ccd != 3]) < 10.0
    assert notes["astrometry"]["ccds_held"] == [3]
    assert notes["photometry"]["ccds_held"] == [3]
    assert np.mean([e.mean() for (_, c), e in solved.wcs_error_mas().items() if c == 3]) < 50.0


def test_without_references_the_visits_are_tied_to_each_other(solve):
    world = build(ref_fraction=0.0, first_mas=20.0, first_mag=0.01)
    solved = solve(world)
    summary = solved.summary()
    assert summary.n_ref == 0
    assert summary.model["astrometry"]["gauge"] == "mean of the first calibrations"
    assert "first calibrations" in summary.model["photometry"]["gauge"]
    found = solved.rows("SELECT star_id, ra, dec FROM star_solution")
    off = np.stack(
        sphere.project(found.ra, found.dec, world.star_ra[found.star_id - 1], world.star_dec[found.star_id - 1])
    )
    # the frame is that of the first calibrations, whose errors common to all visits nothing can tell; but each visit
    # sees the stars where the others do
    assert np.abs(np.median(off, axis=1)).max() * MAS < 15.0
    assert summary.model["position_rms_after_mas"] < 2.5 < 20.0 < summary.model["position_rms_before_mas"]


def test_a_single_visit_is_tied_to_the_references(solve):
    world = build(n_visit=1, per_ccd=80, ref_fraction=1.0)
    solved = solve(world)
    assert not solved.failures()
    assert np.median(np.concatenate(list(solved.wcs_error_mas().values()))) < 3.0
    assert solved.summary().n_visit == 1


def test_a_single_visit_without_references_is_refused(solve):
    solved = solve(build(n_visit=1, ref_fraction=0.0))
    assert solved.failures() == {"no_overlap"}
    assert "ingest-refcat" in solved.message()


def test_few_stars_get_a_lower_order_and_it_is_named(solve):
    world = build(per_ccd=60)
    d, rng = world.detections, np.random.default_rng(3)
    poor = np.flatnonzero(d["visit"] == 1002)
    world.detections = np.delete(d, rng.permutation(poor)[14:])
    solved = solve(world)
    assert not solved.failures()
    order = solved.summary().model["astrometry"]["reduced_visits"]
    assert set(order) == {"1002"}
    assert order["1002"] <= 2
    assert solved.summary().model["photometry"]["reduced_fields"] == {"1002": 1}
    errors = solved.wcs_error_mas()
    # held by its first calibration and the camera, 0.5 pix of warp are 84 mas
    assert max(e.max() for (v, _), e in errors.items() if v == 1002) < 250.0
    assert max(e.max() for (v, _), e in errors.items() if v != 1002) < 12.0


def test_two_stars_in_common_are_enough_to_be_solved_without_nonsense(solve):
    world = build(per_ccd=40, ref_fraction=0.0, first_mas=20.0)
    d = world.detections
    n = np.bincount(d["star"], minlength=world.mag.size)
    late = np.flatnonzero(d["visit"] == 1008)
    shared = late[(n[d["star"][late]] >= 2) & ~world.is_reserved[d["star"][late]]][:2]
    world.detections = np.delete(d, np.setdiff1d(late, shared))
    solved = solve(world)
    assert not solved.failures()
    errors = solved.wcs_error_mas()
    assert max(e.max() for e in errors.values()) < 1000.0
    assert solved.summary().model["astrometry"]["reduced_visits"]["1008"] == 0


def test_detections_without_errors_or_fluxes_are_solved_in_what_they_have(solve):
    world = build(noise_pix=0.02)
    world.detections["err"] = np.nan
    world.detections["flux"][::3] = np.nan
    world.detections["flux_err"][1::3] = np.nan
    solved = solve(world)
    assert not solved.failures()
    assert max(e.max() for e in solved.wcs_error_mas().values()) < 30.0
    found = solved.rows("SELECT reason_photometry, mag FROM star_residual")
    assert (np.isnan(found.mag) <= (found.reason_photometry == "no_flux")).all()
    assert 0.5 < np.mean(found.reason_photometry == "no_flux") < 0.75


def test_a_world_without_any_flux_gives_positions_and_says_that_there_is_no_flux_scale(solve):
    world = build()
    world.detections["flux"] = world.detections["flux_err"] = np.nan
    world.mag0 = dict.fromkeys(world.mag0, np.nan)
    solved = solve(world)
    assert not solved.failures()
    assert max(e.max() for e in solved.wcs_error_mas().values()) < 15.0
    assert not solved.scales()
    assert "no_flux" in set(solved.rows("SELECT reason_photometry FROM star_residual").reason_photometry)


def test_a_joint_solution_that_is_worse_is_rejected_and_kept_to_be_looked_at(solve):
    # CCDs off their places and scales, which the joint model is told not to solve: the first calibrations know them
    world = build(
        first_mas=0.5, first_mag=1e-4, noise_pix=0.003, field_mag=0.0, warp_pix=0.1, shift_pix=1.0, ccd_mag=0.1
    )
    solved = solve(
        world, "mosaic.astrometry_order=1", "mosaic.solve_ccd=false", "mosaic.flux_order=0",
        "mosaic.flux_visit_order=0", "mosaic.solve_flux_ccd=false", "mosaic.solve_turbulence=false",
    )  # fmt: skip
    summary = solved.summary()
    assert not summary.is_accepted
    assert not summary.model["is_position_accepted"]
    assert summary.model["position_rms_after_mas"] > 1.01 * summary.model["position_rms_before_mas"]
    assert {row.status for row, _ in solved.wcs().values()} == {"rejected"}
    accepted = summary.model["is_magnitude_accepted"]
    assert not accepted
    assert {row.status for row in solved.scales().values()} == {"rejected"}
    assert solved.outcome.exit_status == 0


@pytest.mark.parametrize("word", ["mosaic.astrometry_order=0", "mosaic.flux_order=-1", "mosaic.flux_visit_order=40"])
def test_orders_that_make_no_model_are_refused(solve, word):
    solved = solve(build(n_visit=2, per_ccd=20), word)
    assert solved.failures() == {"bad_setting"}
    assert word.partition("=")[0] in solved.message()


@pytest.mark.parametrize(("ra", "dec"), [(0.0, 0.0), (359.9999, -60.0), (40.0, 89.99), (200.0, -89.97)])
def test_the_seam_and_the_poles_are_places_like_any_other(solve, ra, dec):
    world = build(ra=ra, dec=dec, n_visit=3, per_ccd=60)
    solved = solve(world)
    assert not solved.failures()
    errors = np.concatenate(list(solved.wcs_error_mas().values()))
    assert np.sqrt(np.mean(errors**2)) < 3.0
    found = solved.rows(
        "SELECT ra FROM star_solution UNION ALL SELECT ra FROM star_residual UNION ALL SELECT ra FROM wcs_solution"
    )
    assert ((found.ra >= 0) & (found.ra < 360)).all()


def test_catalogs_made_elsewhere_are_solved_like_frames(solve):
    world = build()
    world.is_catalog = True
    world.extra["no_counts"] = True  # a catalog may come with calibrated fluxes alone
    solved = solve(world)
    assert not solved.failures()
    assert max(e.max() for e in solved.wcs_error_mas().values()) < 12.0
    assert np.std(np.concatenate(list(solved.scale_error_mmag().values()))) < 3.0


def test_large_proper_motions_without_a_reference_do_not_bend_the_others(solve):
    world = build(pm_mas=5.0, step_days=400.0, n_visit=6)
    wild = np.flatnonzero(~world.has_ref)[::25]
    d, rng = world.detections, np.random.default_rng(8)
    mjd = {v: one.mjd for v, one in world.visits.items()}
    pm = rng.normal(0, 120.0, (world.mag.size, 2))
    for k in np.flatnonzero(np.isin(d["star"], wild)):
        years = (mjd[int(d["visit"][k])] - 57388.5) / 365.25
        d["x"][k] += pm[d["star"][k], 0] * years / 168.0
        d["y"][k] += pm[d["star"][k], 1] * years / 168.0
        d["ra"][k], d["dec"][k] = world.wcs[int(d["visit"][k]), int(d["ccd"][k])].pixel_to_sky(d["x"][k], d["y"][k])
    solved = solve(world)
    errors = np.concatenate(list(solved.wcs_error_mas().values()))
    assert np.sqrt(np.mean(errors**2)) < 3.0


def test_an_interrupt_leaves_nothing_and_the_next_run_is_as_if_there_had_been_none(fresh_dsn, tmp_path, monkeypatch):
    """Ctrl-C after all rows and files have been written, before they count."""
    world = build(per_ccd=40, n_visit=3)
    tables = ("mosaic_solution", "mosaic_visit", "mosaic_ccd", "star_solution", "star_residual", "product")
    statement = " UNION ALL ".join(f"SELECT '{t}' AS name, count(*) AS n FROM {t}" for t in tables)
    statement += " UNION ALL SELECT 'wcs_solution', count(*) FROM wcs_solution WHERE stage = 'mosaic' ORDER BY 1"
    write = stage.write

    def interrupted(*arguments):
        write(*arguments)
        raise KeyboardInterrupt

    with repository(tmp_path / "repository", fresh_dsn, world) as opened:
        before = rows(opened, statement)
        monkeypatch.setattr(stage, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(opened, "mosaic")
        assert rows(opened, statement).tolist() == before.tolist()
        assert not list((tmp_path / "repository" / "rerun").rglob("*.fits"))
        monkeypatch.setattr(stage, "write", write)
        assert run(opened, "mosaic").exit_status == 0
        assert (rows(opened, statement).n > before.n).all()
