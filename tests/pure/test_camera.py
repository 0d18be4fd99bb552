"""Cameras as data, and the geometry of the focal plane."""

import csv
from pathlib import Path

import numpy as np
import pytest

from hscdb.camera import focalplane
from hscdb.camera.load import load, shipped
from hscdb.errors import ConfigError, DataError
from hscdb.sky import sphere

VECTORS = [
    {key: float(value) for key, value in row.items() if key != "boresight"}
    for row in csv.DictReader((Path(__file__).parent / "data" / "hsc_initial_wcs.csv").read_text().splitlines())
]


@pytest.fixture(scope="module")
def hsc():
    return load("hsc")


def test_hsc_has_all_ccds_amplifiers_defects_and_tables(hsc):
    assert len(hsc.ccds) == 112
    assert sum(ccd.is_science for ccd in hsc.ccds.values()) == 104
    assert sum(len(ccd.amplifiers) for ccd in hsc.ccds.values()) == 448
    assert len(hsc.defects) == 883
    assert hsc.ccds[50].name == "1_12"
    assert hsc.ccds[34].name == "1_04"
    assert {ccd.flip for ccd in hsc.ccds.values()} == {"LR", "TB"}
    assert hsc.crosstalk[1, 0] == -125e-6
    np.testing.assert_allclose(hsc.brighter_fatter.sum(), -4.6062e-6, rtol=1e-4)
    assert len({term.color_term_set for term in hsc.color_terms}) == 4
    assert hsc.color_term_set in {term.color_term_set for term in hsc.color_terms}
    gains = [amp.gain_e_per_adu for ccd in hsc.ccds.values() for amp in ccd.amplifiers]
    assert 2.46 <= min(gains)
    assert max(gains) <= 4.81


def test_amplifiers_tile_every_image_of_every_shipped_camera():
    for name in shipped():
        for ccd in load(name).ccds.values():
            if not ccd.amplifiers:
                continue
            covered = np.zeros((ccd.height, ccd.width), dtype=np.int8)
            raw = np.zeros((ccd.raw_height, ccd.raw_width), dtype=np.int8)
            for amp in ccd.amplifiers:
                covered[amp.box.slices] += 1
                raw[amp.raw_box.slices] += 1
                raw[amp.overscan.slices] += 1
                assert amp.raw_box.slices[0] == amp.overscan.slices[0]
            assert (covered == 1).all()
            assert raw.max() == 1


def test_defects_of_a_ccd_are_those_of_its_newest_list(hsc):
    whole = [box for box in hsc.defects_on(33, "2017-01-01") if box.height == 4176 and box.width == 1024]
    assert len(whole) == 1
    assert not [box for box in hsc.defects_on(33, "2014-01-01") if box.height == 4176 and box.width > 500]
    assert hsc.defects_on(104, "2014-01-01") == ()


def test_filters_are_found_by_name_alias_and_any_case(hsc):
    assert hsc.filter_of("HSC-i").filter == "HSC-I"
    assert hsc.filter_of("W-S-ZR").filter == "HSC-Y"
    assert hsc.filter_of("HSC-Q") is None


@pytest.mark.parametrize("row", VECTORS[::5])
def test_the_chain_of_hsc_gives_the_reference_positions(hsc, row):
    ccd = hsc.ccds[int(row["ccd"])]
    u, v = focalplane.pixel_to_focal(ccd, row["x_pix"], row["y_pix"])
    np.testing.assert_allclose([u, v], [row["fp_x_pix"], row["fp_y_pix"]], atol=6e-5)
    field = focalplane.focal_to_field(hsc, u, v)
    np.testing.assert_allclose(field, [row["field_x_arcsec"], row["field_y_arcsec"]], atol=1e-5)


def test_positions_agree_to_half_a_mas_and_the_first_wcs_to_one(hsc):
    worst = {"exact": 0.0, "wcs": 0.0}
    for row in VECTORS:
        ccd, bore = hsc.ccds[int(row["ccd"])], (row["ra0_deg"], row["dec0_deg"], row["inst_pa_deg"])
        exact = focalplane.pixel_to_sky(hsc, ccd, *bore, row["x_pix"], row["y_pix"])
        wcs = focalplane.initial_wcs(hsc, ccd, *bore).pixel_to_sky(row["x_pix"], row["y_pix"])
        for name, place in (("exact", exact), ("wcs", wcs)):
            off = float(sphere.separation(*place, row["ra_deg"], row["dec_deg"])) * 3.6e6
            worst[name] = max(worst[name], off)
    assert worst["exact"] < 0.5
    assert worst["wcs"] < 1.0


@pytest.mark.parametrize("name", ["hsc", "toy", "decam", "single"])
@pytest.mark.parametrize("dec", [0.0, 89.9])
def test_sky_to_pixel_undoes_pixel_to_sky_and_the_wcs_agrees(name, dec):
    camera = load(name)
    rng = np.random.default_rng(3)
    for ccd in list(camera.ccds.values())[:: max(1, len(camera.ccds) // 6)]:
        x, y = rng.uniform(0, ccd.width - 1, 50), rng.uniform(0, ccd.height - 1, 50)
        ra, dec_ = focalplane.pixel_to_sky(camera, ccd, 0.01, dec, 33.0, x, y)
        back = focalplane.sky_to_pixel(camera, ccd, 0.01, dec, 33.0, ra, dec_)
        np.testing.assert_allclose(back, [x, y], atol=1e-6)
        wcs = focalplane.initial_wcs(camera, ccd, 0.01, dec, 33.0)
        assert (sphere.separation(*wcs.pixel_to_sky(x, y), ra, dec_) * 3.6e6).max() < 0.5


def test_the_distortion_is_not_inverted_where_it_has_no_inverse(hsc):
    with pytest.raises(DataError) as error:
        focalplane.field_to_focal(hsc, 2.0e5, 1.0e5)
    assert error.value.code == "no_convergence"


def test_hsc_points_south_and_west_without_rotation(hsc):
    (a, b), (c, d) = focalplane.orientation(hsc, 0.0)
    np.testing.assert_allclose([a, b, c, d], [0.0, -1.0, -1.0, 0.0], atol=1e-12)  # xi = -Y, eta = -X


def test_a_camera_that_is_not_there_or_contradicts_itself_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="hsc") as error:
        load("hcs")
    assert error.value.code == "unknown_camera"
    text = (Path(focalplane.__file__).parent / "single" / "camera.toml").read_text()
    for old, new, said in (
        ("gain_e_per_adu = 1.5", "gain_e_per_adu = 0", "gain"),
        ('flip = ""', 'flip = "UD"', "flip"),
        ("[[ccd]]\nccd = 0", "[[ccd]]\nccd = 200", "200"),
        ("pixel_scale_arcsec = 0.5", "", "pixel_scale_arcsec"),
        ("[header]", "[header", "camera.toml"),
        ("raw_box = { x0 = 0, y0 = 0, width = 1024", "raw_box = { x0 = 0, y0 = 0, width = 1000", "raw_box"),
    ):
        assert old in text
        path = tmp_path / "camera.toml"
        path.write_text(text.replace(old, new))
        with pytest.raises(ConfigError, match=said) as error:
            load(path)
        assert error.value.code == "bad_camera"


def test_the_fingerprint_follows_the_tables(tmp_path, hsc):
    folder = tmp_path / "hsc"
    folder.mkdir()
    for path in (Path(focalplane.__file__).parent / "hsc").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    assert load(folder).sha256 == hsc.sha256
    (folder / "crosstalk.csv").write_text("0,0,0,0\n" * 4)
    assert load(folder).sha256 != hsc.sha256
