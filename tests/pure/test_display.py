"""Pictures: binning, limits, colors, symbols, and CCDs put where they lie on the sky."""

import math
from pathlib import Path

import numpy as np
import pytest
from astropy.visualization import ZScaleInterval
from matplotlib.image import imread

from hscdb import display
from hscdb.butler.geom import Box2I, Extent2I, Point2I
from hscdb.butler.image import Image, Mask
from hscdb.butler.masked import MaskedImage
from hscdb.camera import focalplane as exact
from hscdb.camera.load import load
from hscdb.cli.display import _paths
from hscdb.display import content, focalplane, picture, render, style, symbols
from hscdb.errors import HscdbError
from hscdb.image import mask as planes

RNG = np.random.default_rng(7)


def test_a_bin_is_the_mean_of_its_finite_pixels_and_what_does_not_fill_one_is_kept() -> None:
    pixels = RNG.normal(size=(7, 10)).astype(np.float32)
    pixels[0, 0] = np.nan
    pixels[3:6, 3:6] = np.nan
    found = render.binned(pixels, 3)
    assert found.shape == (3, 4)
    for j in range(3):
        for i in range(4):
            box = pixels[3 * j : 3 * j + 3, 3 * i : 3 * i + 3]
            good = box[np.isfinite(box)]
            expected = good.mean() if good.size else np.nan
            assert found[j, i] == pytest.approx(expected, rel=1e-5, nan_ok=True)


def test_a_bin_has_the_planes_of_all_its_pixels() -> None:
    mask = np.zeros((5, 4), np.int32)
    mask[0, 1], mask[1, 0], mask[4, 3] = planes.SAT, planes.CR, planes.BAD
    assert render.binned_mask(mask, 2).tolist() == [[planes.SAT | planes.CR, 0], [0, 0], [0, planes.BAD]]


@pytest.mark.parametrize("n_star", [0, 300])
def test_zscale_is_near_that_of_astropy(n_star: int) -> None:
    pixels = RNG.normal(100.0, 10.0, (200, 200)).astype(np.float32)
    pixels.reshape(-1)[RNG.integers(0, pixels.size, n_star)] += 5000.0
    low, high = render.limits(pixels, "zscale")
    peer = ZScaleInterval(n_samples=40_000, max_iterations=5).get_limits(pixels)
    assert low == pytest.approx(peer[0], abs=4.0)
    assert high == pytest.approx(peer[1], abs=10.0)
    assert high < 200


def test_limits_can_be_said() -> None:
    pixels = np.arange(1000.0).reshape(10, 100)
    assert render.limits(pixels, "-5,7.5") == (-5.0, 7.5)
    assert render.limits(pixels, "minmax") == (0.0, 999.0)
    assert render.limits(pixels, "80") == pytest.approx((99.9, 899.1))
    assert render.limits(np.full((3, 3), np.nan), "zscale") == (0.0, 1.0)
    with pytest.raises(HscdbError, match="scale bright: give zscale"):
        render.limits(pixels, "bright")


def test_mask_planes_are_mixed_in_by_their_transparency_and_the_more_serious_covers() -> None:
    pixels = np.zeros((1, 4), np.float32)
    pixels[0, 3] = np.nan
    mask = np.array([[0, planes.DETECTED, planes.DETECTED | planes.BAD, 0]], np.int32)
    how = style.Style()
    how.set_transparency(75)
    shown = render.colors(pixels, mask, how, scale="-1,1", stretch="linear")[0].tolist()
    gray = shown[0][0]
    assert shown[0] == [gray] * 3 == [128] * 3
    assert shown[1] == [96, 96, 96 + 64]
    assert shown[2] == [72 + 64, 72, 72 + 48]
    assert shown[3] not in ([0, 0, 0], [gray] * 3)
    how.set_color("DETECTED", "ignore")
    assert render.colors(pixels, mask, how, scale="-1,1", stretch="linear")[0, 1].tolist() == [gray] * 3


def test_the_colors_are_those_of_the_manual() -> None:
    table = {"BAD": "RED", "CR": "MAGENTA", "EDGE": "YELLOW", "INTERPOLATED": "GREEN", "SATURATED": "GREEN",
             "DETECTED": "BLUE", "DETECTED_NEGATIVE": "CYAN", "SUSPECT": "YELLOW"}  # fmt: skip
    for name, color in table.items():
        assert display.getMaskPlaneColor(name) == color.lower() == getattr(display, color)


def test_an_ellipse_has_the_half_axes_and_the_angle_of_its_moments() -> None:
    c, s = math.cos(0.5), math.sin(0.5)
    ixx, iyy, ixy = 9 * c * c + 4 * s * s, 9 * s * s + 4 * c * c, 5 * c * s
    (one,) = symbols.shapes(f"@:{ixx},{ixy},{iyy}", 10.0, 20.0, 99.0, "red")
    assert isinstance(one, symbols.Ellipse)
    assert (one.a, one.b, math.radians(one.angle_deg)) == pytest.approx((3.0, 2.0, 0.5))
    assert symbols.regions([one]).splitlines()[2] == "ellipse(11.000,21.000,3.000,2.000,28.648) # color=red"
    assert symbols.shapes("@:nan,nan,nan", 1.0, 1.0, 2.0, "red") == []
    assert symbols.shapes("o", math.nan, 1.0, 2.0, "red") == []
    with pytest.raises(HscdbError, match="not @:Ixx,Ixy,Iyy"):
        symbols.shapes("@:1,2", 1.0, 1.0, 2.0, "red")


def test_crosses_are_lines_and_other_symbols_words() -> None:
    ends = {shape.points for shape in symbols.shapes("+", 5.0, 6.0, 2.0, "red") if isinstance(shape, symbols.Line)}
    assert ends == {((3.0, 6.0), (7.0, 6.0)), ((5.0, 4.0), (5.0, 8.0))}
    assert len(symbols.shapes("*", 5.0, 6.0, 2.0, "red")) == 4
    (word,) = symbols.shapes("star {1}", 5.0, 6.0, 2.0, "red")
    assert symbols.regions([word]).splitlines()[2] == "text(6.000,7.000) # color=red text={star (1)}"


@pytest.mark.parametrize("ccd", [0, 49, 102, 103])
def test_a_place_on_the_sky_goes_to_the_pixel_it_came_from(ccd: int) -> None:
    camera = load("hsc")
    sky = focalplane.Sky(camera, 37.0)
    one = camera.ccds[ccd]
    x, y = RNG.uniform(0, one.width, 500), RNG.uniform(0, one.height, 500)
    found = focalplane.to_pixels(sky, one, *sky.of_pixels(one, x, y))
    assert max(np.abs(found[0] - x).max(), np.abs(found[1] - y).max()) < 0.5
    ra, dec = exact.pixel_to_sky(camera, one, 150.0, 2.0, 37.0, x, y)
    west, north = sky.of_pixels(one, x, y)
    # tangent plane at the boresight: east is toward larger ra
    assert np.corrcoef(west, ra)[0, 1] < -0.99
    assert np.corrcoef(north, dec)[0, 1] > 0.99


def test_a_star_on_each_ccd_is_seen_at_its_place_on_the_focal_plane() -> None:
    camera = load("toy")
    sky = focalplane.Sky(camera, 20.0)
    pieces, stars = [], []
    for number, ccd in camera.ccds.items():
        pixels, mask = np.zeros((ccd.height, ccd.width), np.float32), np.zeros((ccd.height, ccd.width), np.int32)
        x, y = 60 + 50 * number, 400 - 70 * number
        pixels[y - 8 : y + 9, x - 8 : x + 9] = 100.0 * (number + 1)
        mask[y, x] = planes.CR
        pieces.append(focalplane.piece(ccd, pixels, mask, 4))
        stars.append((number, *sky.of_pixels(ccd, x, y)))
    found = focalplane.mosaic(pieces, sky, 4)
    for number, west, north in stars:
        i = round(float(west - found.west) / found.step_arcsec)
        j = round(float(north - found.north) / found.step_arcsec)
        assert found.pixels[j, i] == pytest.approx(100.0 * (number + 1))
        assert (found.mask[j - 1 : j + 2, i - 1 : i + 2] == planes.CR).any()
    assert np.isnan(found.pixels[0, 0])
    with pytest.raises(HscdbError, match="not one CCD"):
        focalplane.mosaic([], sky, 4)


def test_a_raw_frame_is_trimmed_by_its_overscan_and_gain() -> None:
    ccd = load("hsc").ccds[49]
    raw = np.full((ccd.raw_height, ccd.raw_width), 1000.0, np.float32)
    for amplifier in ccd.amplifiers:
        raw[amplifier.raw_box.slices] += 10.0
    image = focalplane.trimmed(raw, ccd)
    assert image.shape == (ccd.height, ccd.width)
    for amplifier in ccd.amplifiers:
        assert np.allclose(image[amplifier.box.slices], 10.0 * amplifier.gain_e_per_adu)


def test_a_script_leaves_its_frames_as_pictures(tmp_path: Path) -> None:
    pixels = RNG.normal(0.0, 1.0, (300, 200)).astype(np.float32)
    mask = np.zeros((300, 200), np.int32)
    mask[100:150, 50:150] = planes.BAD
    whole = MaskedImage(Image(pixels), Mask(mask))
    box = Box2I(Point2I(40, 80), Extent2I(120, 100))
    display.use(tmp_path / "frame-{frame}.png")
    try:
        display.mtv(whole, frame=1, title="whole", settings={"scale": "zscale", "mask": "transparency 0"})
        display.mtv(whole[box], frame=2)
        before = {frame: imread(tmp_path / f"frame-{frame}.png") for frame in (1, 2)}
        with display.Buffering():
            display.dot("o", 100, 125, frame=1, size=30, ctype=display.CYAN)
            assert (imread(tmp_path / "frame-1.png") == before[1]).all()  # held back
        display.dot("x", 100, 125, frame=2, size=8, ctype=display.CYAN)
        red = (before[1][..., :3] == [1, 0, 0]).all(axis=2).sum()
        assert red > 50 * 100 * 4 * 0.9  # enlarged twice
        for frame in (1, 2):
            after = imread(tmp_path / f"frame-{frame}.png")
            assert (after != before[frame]).any(axis=2).sum() > 20
            # both are centered on pixel (100, 125) of the whole image
            drawn = display.getDisplay()._pictures[frame]
            left, right, bottom, top = drawn.extent
            assert left < 100 < right
            assert bottom < 125 < top
            mark = drawn.shapes[0]
            center = (mark.x, mark.y) if isinstance(mark, symbols.Ellipse) else np.mean(mark.points, axis=0)
            assert tuple(center) == pytest.approx((100.0, 125.0))
        display.erase(1)
        assert (imread(tmp_path / "frame-1.png") == before[1]).all()
        with pytest.raises(HscdbError, match="nothing is shown in frame 7"):
            display.dot("o", 1, 1, frame=7)
    finally:
        display.use("nowhere.png")
        display.setMaskTransparency(style.TRANSPARENCY)


def test_what_cannot_be_shown_is_refused_by_name() -> None:
    for wrong, said in ((3, "a int is no image"), (np.zeros(4), "a ndarray is no image")):
        with pytest.raises(HscdbError, match=said):
            content.of(wrong)
    with pytest.raises(HscdbError, match="did you mean SUSPECT"):
        display.setMaskPlaneColor("SUSPCT", "red")
    with pytest.raises(HscdbError, match="no color rot"):
        display.setMaskPlaneColor("BAD", "rot")
    with pytest.raises(HscdbError, match="transparency 120"):
        display.setMaskTransparency(120)
    with pytest.raises(HscdbError, match="give ds9, ds9:NAME"):
        display.use("tv")
    with pytest.raises(HscdbError, match="not a kind of picture"):
        picture.save(picture.of_image(np.zeros((4, 4)), None, style.Style()), Path("a.bmp"))


def test_pictures_are_named_by_what_tells_them_apart() -> None:
    patches = [{"tract": "0", "patch": f"1,{row}", "filter": "HSC-R"} for row in range(2)]
    assert [str(each) for each in _paths("p-{patch}.png", patches)] == ["p-1,0.png", "p-1,1.png"]
    assert [str(each) for each in _paths("p-{tract}.png", patches)] == ["p-0-1,0-HSC-R.png", "p-0-1,1-HSC-R.png"]
    assert _paths("one.png", patches[:1]) == [Path("one.png")]
    assert [str(each) for each in _paths("v.png", [{"visit": "5"}, {"visit": "7"}])] == ["v-5.png", "v-7.png"]
