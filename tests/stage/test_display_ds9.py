"""A real DS9 on a virtual screen, and clients of a SAMP hub, get what is sent to them."""

import os
import shutil
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.utils.exceptions import AstropyDeprecationWarning

from hscdb import display
from hscdb.butler.exposure import Exposure
from hscdb.butler.image import Image, Mask
from hscdb.butler.masked import MaskedImage
from hscdb.butler.wcs import SkyWcs
from hscdb.display.ds9 import Ds9
from hscdb.errors import HscdbError
from hscdb.image import mask as planes
from hscdb.sky.wcs import Wcs

with warnings.catch_warnings():
    # astropy 8 announces that its SAMP will move to pyvo
    warnings.simplefilter("ignore", AstropyDeprecationWarning)
    samp = pytest.importorskip("astropy.samp")

PROGRAMS = ("ds9", "Xvfb", "xpaset", "xpaget", "xpaaccess")
MISSING = [each for each in PROGRAMS if shutil.which(each) is None]

# astropy's hub forgets to close its connections to clients
OPEN_SOCKETS = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def exposure() -> Exposure:
    pixels = np.arange(60 * 80, dtype=np.float32).reshape(60, 80)
    mask = np.zeros((60, 80), np.int32)
    mask[10:20, 30:40], mask[40, 5] = planes.CR, planes.BAD
    wcs = SkyWcs(Wcs((150.0, 2.0), (40.0, 30.0), np.diag([-4.7e-5, 4.7e-5])))
    return Exposure(MaskedImage(Image(pixels), Mask(mask)), wcs)


def wait_until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.1)


@pytest.fixture(scope="module")
def lock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file by which a SAMP hub is found."""
    return tmp_path_factory.mktemp("hub") / "samp"


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file in which the virtual screen keeps its pixels."""
    return tmp_path_factory.mktemp("pixels") / "Xvfb_screen0"


def n_magenta(screen: Path) -> int:
    """Pixels of the virtual screen (an X window dump) that are more red and blue than green."""
    dump = screen.read_bytes()
    word = np.frombuffer(dump[:100], ">u4")
    start, width, height, row_bytes = word[0] + 12 * word[19], word[4], word[5], word[12]
    rows = np.frombuffer(dump, np.uint8, row_bytes * height, start).reshape(height, row_bytes)[:, : 4 * width]
    blue, green, red = (rows[:, at::4].astype(int) for at in range(3))
    return int(((red > green + 40) & (blue > green + 40)).sum())


@pytest.fixture(scope="module")
def ds9(lock: Path, screen: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ds9]:
    """A DS9 that the display has started, on a virtual screen."""
    if MISSING:
        pytest.skip(f"not installed: {', '.join(MISSING)} (Debian: saods9, xvfb, xpa-tools)")
    folder, before = tmp_path_factory.mktemp("screen"), dict(os.environ)
    number = next(n for n in range(90, 200) if not Path(f"/tmp/.X11-unix/X{n}").exists())
    words = ["Xvfb", f":{number}", "-screen", "0", "1000x900x24", "-nolisten", "tcp", "-fbdir", str(screen.parent)]
    server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.environ |= {"DISPLAY": f":{number}", "XPA_METHOD": "local", "HOME": str(folder)}
    os.environ["SAMP_HUB"] = f"std-lockurl:{lock.as_uri()}"
    one = display.use(f"ds9:hscdb-test-{os.getpid()}")
    try:
        wait_until(Path(f"/tmp/.X11-unix/X{number}").exists)
        assert not one.is_running()
        yield one
        one.quit()
        assert not one.is_running()
    finally:
        server.terminate()
        server.wait(timeout=30)
        os.environ.clear()
        os.environ.update(before)
        display.use("nowhere.png")


def test_an_exposure_is_shown_with_its_mask_wcs_and_name(ds9: Ds9) -> None:
    settings = {"scale": "zscale", "zoom": "to fit", "mask": "transparency 45"}
    display.mtv(exposure(), frame=3, title="My Data", settings=settings)
    assert ds9.get("frame") == "3"
    assert ds9.get("fits", "size") == "80 60"
    assert float(ds9.get("data", "image", "6", "41", "1", "1", "yes")) == 40 * 80 + 5
    assert ds9.get("fits", "header", "keyword", "OBJECT") == "My Data"
    assert ds9.get("scale", "mode") == "zscale"
    assert float(ds9.get("mask", "transparency")) == 45.0
    assert ds9.get("mask", "color") == "red"  # the last plane, over all others
    ds9.set("pan", "to", "41", "31", "image")
    assert [float(each) for each in ds9.get("pan", "wcs", "icrs", "degrees").split()] == pytest.approx([150.0, 2.0])


def test_symbols_are_drawn_where_the_pixels_are(ds9: Ds9) -> None:
    display.mtv(exposure(), frame=1)
    with display.Buffering():
        display.dot("o", 30, 20, ctype=display.RED, size=5, frame=1, silent=True)
        display.dot("@:9,0,4", 10, 15, ctype=display.YELLOW, frame=1)
        assert "circle" not in ds9.get("regions", "-system", "image")
    found = ds9.get("regions", "-system", "image")
    assert "circle(31,21,5) # color=red" in found
    assert "ellipse(11,16,3,2,0) # color=yellow" in found
    display.erase(1)
    assert "circle" not in ds9.get("regions", "-system", "image")


def test_what_ds9_does_not_understand_is_told_with_its_words(ds9: Ds9) -> None:
    with pytest.raises(HscdbError, match=r"refused `scale sideways`: .*sideways"):
        display.ds9Cmd("scale sideways")
    display.zoom(2, 10, 12)
    assert float(ds9.get("zoom")) == 2.0
    assert [float(each) for each in ds9.get("pan", "image").split()] == pytest.approx([11.0, 13.0])


def test_without_a_screen_or_xpa_the_way_out_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HscdbError, match=r"xpa.* is not installed .*--png FILE"):
        Ds9("nobody").set("frame", "1")
    for name in ("xpaaccess", "ds9"):
        (tmp_path / name).write_text("#!/bin/sh\necho no\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(HscdbError, match=r"no DS9 named 'nobody' answers.*no screen \(DISPLAY is not set\).*use\("):
        Ds9("nobody").set("frame", "1")


@pytest.fixture
def hub(lock: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("SAMP_HUB", f"std-lockurl:{lock.as_uri()}")
    server = samp.SAMPHubServer(web_profile=False, lockfile=str(lock), addr="127.0.0.1")
    server.start()
    yield server
    server.stop()


@OPEN_SOCKETS
def test_a_samp_client_gets_an_image_that_it_can_read(hub: Any, tmp_path: Path) -> None:
    viewer = samp.SAMPIntegratedClient("viewer", addr="127.0.0.1")
    viewer.connect()
    got: list[tuple[str, dict[str, str]]] = []

    def take(key: str, sender: str, mtype: str, params: dict[str, str], extra: object) -> None:
        got.append((mtype, params))

    try:
        with pytest.raises(HscdbError, match=r"no SAMP client other takes image.load.fits. There are: .*viewer"):
            display.use("samp:other").show(*_shown())
        target = display.use("samp:Viewer")
        with pytest.raises(HscdbError, match=r"no SAMP client Viewer takes image.load.fits"):
            display.mtv(exposure())
        for mtype in ("image.load.fits", "table.load.fits"):
            viewer.bind_receive_notification(mtype, take)
        display.mtv(exposure(), title="sent")
        target.table(tmp_path / "src.fits", "sources")
        wait_until(lambda: len(got) == 3)
        (image, params), (second, masked), (table, about) = got
        assert (image, params["name"]) == ("image.load.fits", "sent")
        assert (second, masked["name"]) == ("image.load.fits", "sent mask")
        with fits.open(masked["url"].removeprefix("file://")) as file:
            assert file[0].data[40, 5] == planes.BAD == 1 << file[0].header["MP_BAD"]
            assert file[0].data[12, 33] == planes.CR == 1 << file[0].header["MP_CR"]
            assert file[0].header["CTYPE1"].startswith("RA---TAN")
        with fits.open(params["url"].removeprefix("file://")) as file:
            assert file[0].data[40, 5] == 40 * 80 + 5
            assert file[0].header["CTYPE1"].startswith("RA---TAN")
        assert (table, about["url"]) == ("table.load.fits", (tmp_path / "src.fits").as_uri())
    finally:
        display.use("nowhere.png")
        viewer.disconnect()


@OPEN_SOCKETS
def test_ds9_gets_images_masks_and_symbols_by_samp_too(ds9: Ds9, hub: Any, screen: Path) -> None:
    ds9.set("samp", "connect")
    try:
        display.use("samp:ds9")
        display.mtv(exposure(), frame=2, title="by SAMP", settings={"mask": "transparency 35"})
        wait_until(lambda: ds9.get("mask", "transparency") == "35")
        assert ds9.get("frame") == "2"
        assert ds9.get("fits", "header", "keyword", "OBJECT") == "by SAMP"
        assert ds9.get("mask", "color") == "red"  # the last plane, over all others
        # 100 of 4800 pixels have been hit by a cosmic ray; zoomed to fit, each is some 9 pixels wide
        wait_until(lambda: n_magenta(screen) > 4000)
        ds9.set("mask", "clear")
        wait_until(lambda: n_magenta(screen) < 400)
        display.dot("o", 12, 34, size=6, ctype=display.RED)
        wait_until(lambda: "circle(13,35,6) # color=red" in ds9.get("regions", "-system", "image"))
    finally:
        ds9.set("samp", "disconnect")
        display.use(ds9)


def _shown() -> tuple[object, ...]:
    from hscdb.display import content, style

    return content.of(exposure()), None, {}, style.Style()


def test_no_hub_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMP_HUB", f"std-lockurl:{(tmp_path / 'none').as_uri()}")
    with pytest.raises(HscdbError, match=r"no SAMP hub answers.*Start TOPCAT"):
        display.use("samp")
