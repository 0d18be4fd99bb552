"""Simulated HSC frames for the benches of quality: their truth, our columns, SExtractor's catalogs, matched."""

from pathlib import Path

import numpy as np
import peer
from judge import cramer_rao, expected_flux, lonely, matched, shed

from hscdb.cli import main as hscdb
from hscdb.detect import frame
from hscdb.fits import product
from hscdb.image import flags as bits
from hscdb.image import mask as planes
from hscdb.image.plane import Image

CCD = 50
SPOILT = bits.word("edge", "saturated", "suspect", "interpolated_center", "bad", "cr_center", "centroid_bad")
THRESHOLDS = (1.0, 1.5)  # of SExtractor's detection [sigma of a pixel]


def prepare(work: Path, n_visit: int, options: list[str]) -> None:
    """Simulated frames, masters, and the frames that isr leaves, under `work` (nothing if they are there)."""
    if (work / "done").exists():
        return
    sky, repo = work / "sky", work / "repo"
    told = ["simulate", str(sky), "--camera", "hsc", "--ccds", str(CCD), "--visits", str(n_visit), "--set", *options]
    commands = [told, ["init", str(repo), "--camera", "hsc"]]
    for command in commands:
        if hscdb(command) != 0:
            raise SystemExit(f"failed: {command}")
    files = [str(path) for folder in ("raw", "calib") for path in sorted((sky / folder).glob("*.fits"))]
    commands = [["ingest", str(repo), *files]]
    commands += [["master", str(repo), kind, "--id"] for kind in ("bias", "dark", "flat")]
    commands += [["isr", str(repo), "--rerun", "quality", "--id", "-c", "isr.keep_image=true"]]
    for command in commands:
        if hscdb(command) != 0:
            raise SystemExit(f"failed: {command}")
    (work / "done").touch()


class Frame:
    """One frame: truth, our columns, SExtractor's catalog, all matched to the truth."""

    full: np.ndarray | None = None

    def __init__(self, work: Path, visit: int, has_rays: bool = False, peers: str = "full") -> None:
        """peers: "full" = SExtractor's places and measurements, "places" = its places, "" = nothing."""
        path = next((work / "repo" / "rerun" / "quality" / "postISRCCD").glob(f"v{visit:07d}-*/c{CCD:03d}.fits"))
        truth = product.read_table(work / "sky" / "truth_source.fits", 1)
        self.truth = truth[truth["visit"] == visit]
        image, _ = product.read_image(path)
        self.measured = frame.characterize(image, frame.Limits(), seed=visit * 200 + CCD)
        self.image = self.measured.image
        self.fwhm = float(np.median(self.truth["fwhm_pix"]))
        columns = self.measured.columns
        self.rows = np.flatnonzero(columns["n_child"] == 0)
        self.ours = {name: values[self.rows] for name, values in columns.items()}
        self.ours["aper12"], self.ours["aper12_err"] = self.ours["aper"][:, 4], self.ours["aper_err"][:, 4]
        surface = self.measured.background.render()
        pixels = image.data if has_rays else self.image.data + surface
        their_image = Image(np.asarray(pixels, np.float32), image.variance, image.mask)
        self.peer = self._peer(work, their_image, visit, peers == "full") if peers else {}
        self.expected, self.mag = expected_flux(self.truth)
        x, y = self.truth["x"], self.truth["y"]
        self.ok = self.is_clear(x, y)
        self.index = matched(self.truth, self.ours["x"], self.ours["y"])
        self.snr = self.expected / np.where(self.index >= 0, self.ours["psf_flux_err"][self.index], np.nan)
        self.bound, self.true_snr = cramer_rao(self.truth, self.expected, self.sky_variance())
        # alone: what others shed on it, however faint or far they are, is a fifth of its error at most
        self.lonely = lonely(self.truth) & (shed(self.truth) < 0.2 * self.expected / self.true_snr)

    def sky_variance(self) -> float:
        """Variance of a pixel of empty sky."""
        free = (self.image.mask & int(planes.word("DETECTED", "BAD", "NO_DATA", "INTRP"))) == 0
        return float(np.median(self.image.variance[free]))

    def is_clear(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Whether places are 40 pix inside, and no defect lies within 3 pix."""
        ny, nx = self.image.shape
        inside = (x > 40) & (x < nx - 41) & (y > 40) & (y < ny - 41)
        bad = (self.image.mask & int(planes.word("BAD", "NO_DATA", "SAT"))) != 0
        i, j = np.clip(x, 3, nx - 4).astype(int), np.clip(y, 3, ny - 4).astype(int)
        near = np.zeros(len(x), bool)
        for dj in range(-3, 4):
            for di in range(-3, 4):
                near |= bad[j + dj, i + di]
        return inside & ~near

    def _peer(self, work: Path, image: Image, visit: int, is_full: bool) -> dict[float, np.ndarray]:
        """SExtractor's catalogs by threshold, kept in the folder; without the programs none. Sets `full` if is_full."""
        folder = work / f"peer{visit}"
        if not (folder / "done").exists():
            if peer.missing("sextractor", "psfex"):
                return {}
            folder.mkdir(exist_ok=True)
            peer.write_inputs(folder, image)
            level = 0.98 * float(image.data[(image.mask & planes.SAT) == 0].max())
            if is_full:
                first = peer.extract(folder, "first", peer.FIRST, self.fwhm, level)
                psf, _ = peer.model_psf(folder, first.path)
                peer.extract(folder, "full", peer.SECOND, self.fwhm, level, psf)
                first.path.unlink()
            for threshold in THRESHOLDS:
                peer.extract(folder, f"places{threshold}", peer.PLACES, self.fwhm, level, None, threshold)
            for path in folder.glob("*.fits"):  # only the catalogs are kept
                path.unlink()
            (folder / "done").touch()
        if is_full:
            self.full = product.read_table(folder / "full.ldac", 2)
        return {threshold: product.read_table(folder / f"places{threshold}.ldac", 2) for threshold in THRESHOLDS}


def reach(one: Frame, near: np.ndarray) -> np.ndarray:
    """Size [pix] of the true sources `near`: within half of it a detection may be a part of a galaxy."""
    return np.where(one.truth["is_galaxy"][near], 8.0, 0.0)
