"""A camera of one's own: one TOML file, made-up raw frames, and the command line from ingest to calibrate."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
import starfield
from astropy.io import fits
from psycopg.rows import dict_row

from hscdb.cli import main
from hscdb.fits import header, product
from hscdb.image.mask import SAT
from hscdb.sky import sphere
from hscdb.sky.wcs import Wcs

TOML = Path(__file__).with_name("own_camera.toml")
NY, NX, N_OVER = 512, 480, 24
GAIN, READ_NOISE_E, LEVEL_ADU, DARK_E_S, SKY_E, EXPOSURE_S = 1.6, 6.0, 700.0, 0.5, 900.0, 120.0
RA, DEC, ZERO_POINT = 83.8221, -5.3911, 31.2  # in the header; magnitude of one electron in the exposure
SKY = {"TEL_RA": "05:35:17.304", "TEL_DEC": "-05 23 27.96"}


@dataclass(frozen=True)
class Night:
    """The repository, rows of its tables, and the truth of the two science frames (the second in degrees)."""

    folder: Path
    tables: dict[str, list[dict[str, Any]]]
    field: starfield.Field
    wcs: Wcs
    response: float  # a master flat is 1 on average

    def sources(self, visit: int) -> Any:
        place = product.path("src", visit=visit, ccd=0, pointing=self.of("visit", visit)["pointing"], filter="Rc")
        return product.read_table(self.folder / "rerun" / "own" / place, "SRC")

    def of(self, table: str, visit: int) -> dict[str, Any]:
        (row,) = [row for row in self.tables[table] if row["visit"] == visit]
        return row


def expose(electrons: np.ndarray, seed: int) -> np.ndarray:
    """Expected electrons -> raw frame: photons, read noise, gain, a bias pattern, a drifting level, overscan first."""
    rng = np.random.default_rng(seed)
    pattern = 3.0 * np.sin(np.arange(NX) / 9.0)
    raw = np.empty((NY, N_OVER + NX))
    raw[:, :N_OVER] = rng.normal(0.0, READ_NOISE_E, (NY, N_OVER)) / GAIN
    raw[:, N_OVER:] = (rng.poisson(electrons) + rng.normal(0.0, READ_NOISE_E, electrons.shape)) / GAIN + pattern
    raw += LEVEL_ADU + 15.0 * np.linspace(0, 1, NY)[:, None] ** 2
    return np.clip(np.round(raw), 0, 65535).astype(np.uint16)


def write(folder: Path, number: int, raw: np.ndarray, **words: Any) -> None:
    hdu = fits.PrimaryHDU(raw)
    common = {
        "TRIMSEC": f"[{N_OVER + 1}:{N_OVER + NX},1:{NY}]", "BIASSEC": f"[1:{N_OVER},1:{NY}]", "EGAIN": GAIN,
        "UTDATE": "2021-02-03", "UTSTART": f"21:{number:02d}:00.5", "FILTPOS": "4: Cousins R", "LAMP": "0",
    }  # fmt: skip
    hdu.header.update(common | words)
    hdu.writeto(folder / f"n{number:04d}.fit")


def observe(folder: Path) -> tuple[starfield.Field, Wcs, np.ndarray]:
    """Write a night: 5 biases, 4 darks, 4 flats, 2 science frames. The field, its WCS, and the response."""
    y, x = np.mgrid[:NY, :NX]
    flat = 1.0 - 0.25 * (((x - 200) / 480) ** 2 + ((y - 300) / 512) ** 2)
    field = starfield.grid((NY, NX), 40, (30.0, 900.0), sky=SKY_E, seed=8, is_varying=False)
    # 12 deg by the description, 0.4 deg and 15 arcsec off in truth
    turn, step = np.radians(12.4), 0.5003 / 3600
    cd = step * np.array([[-np.cos(turn), np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    wcs = Wcs((RA + 0.004, DEC - 0.002), ((NX - 1) / 2, (NY - 1) / 2), cd)
    dark = np.full((NY, NX), DARK_E_S)
    number = 0
    for kind, n, electrons, words in (
        ("bias", 5, 0.0 * dark, {"NOTE": "Zero frame", "SHUTTER": "closed", "ITIME": 0}),
        ("dark", 4, 300.0 * dark, {"NOTE": "", "SHUTTER": "closed", "ITIME": 300000}),
        ("flat", 4, 20000.0 * flat + 2 * dark, {"NOTE": "", "SHUTTER": "open", "LAMP": "3", "ITIME": 2000}),
        ("science", 2, (field.model + SKY_E) * flat + EXPOSURE_S * dark,
         {"NOTE": "M 42", "SHUTTER": "open", "ITIME": 120000}),
    ):  # fmt: skip
        for k in range(n):
            number += 1
            if kind == "science":
                words = words | (SKY if k == 0 else {"RADEG": RA, "DECDEG": DEC})
                electrons = electrons.copy()
                electrons[60:64, 300:303] = 2e5  # beyond saturation
            write(folder, number, expose(electrons, number), **words)
    return field, wcs, flat


@pytest.fixture(scope="module")
def night(server_dsn: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    raw, folder, name = tmp_path_factory.mktemp("night"), tmp_path_factory.mktemp("own"), f"hscdb_own_{os.getpid()}"
    field, wcs, flat = observe(raw)
    ra, dec = wcs.pixel_to_sky(field.x, field.y)
    mag = ZERO_POINT - 2.5 * np.log10(field.flux)
    stars = "\n".join(f"{a:.9f};{b:.9f};{m:.4f};0.01" for a, b, m in zip(ra, dec, mag, strict=True))
    (raw / "stars.csv").write_text("RAJ;DEJ;R;eR\n".replace(";", ",") + stars.replace(";", ","))
    with psycopg.connect(server_dsn, autocommit=True, dbname="postgres") as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        dsn = psycopg.conninfo.make_conninfo(server_dsn, dbname=name)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HSCDB_DSN", dsn)
            for words in (
                ["init", folder, "--camera", TOML],
                ["ingest", folder, f"{raw}/*.fit"],
                ["ingest-refcat", folder, "mine", raw / "stars.csv", "--map", "ra=RAJ", "dec=DEJ", "mag.r=R",
                 "mag.r_err=eR", "--epoch", "2021"],
                ["master", folder, "bias"], ["master", folder, "dark"], ["master", folder, "flat"],
                ["run", folder, "isr..calibrate", "--rerun", "own", "--id"],
            ):  # fmt: skip
                assert main([str(word) for word in words]) == 0, words
        with psycopg.connect(dsn, row_factory=dict_row) as connection:
            tables = {
                table: connection.execute(f"SELECT * FROM {table}").fetchall()
                for table in ("visit", "wcs_solution", "flux_scale", "master")
            }
            tables["frame_isr"] = connection.execute(
                "SELECT visit, n_saturated, sky_level_e, gain_e_per_adu[1] AS gain, overscan_adu[1] AS overscan, "
                "read_noise_e[1] AS noise FROM frame_isr"
            ).fetchall()
        yield Night(folder, tables, field, wcs, float(flat.mean()))
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_frames_are_typed_by_any_keyword_and_numbered_by_the_file_name(night: Night) -> None:
    kinds = {row["visit"]: row["data_type"] for row in night.tables["visit"]}
    assert kinds == dict(
        enumerate(["bias"] * 5 + ["dark"] * 4 + ["flat"] * 4 + ["science"] * 2, start=1)
    )
    one = night.of("visit", 14)
    assert (one["exposure_s"], one["filter"], one["band"], one["exp_id"]) == (120.0, "Rc", "r", "n0014.fit")
    assert one["obs_start"].isoformat() == "2021-02-03T21:14:00.500000+00:00"
    assert night.of("visit", 10)["exposure_s"] == 2.0


def test_pointing_is_read_from_sexagesimal_hours_and_from_degrees(night: Night) -> None:
    for visit in (14, 15):
        one = night.of("visit", visit)
        assert (one["ra"], one["dec"]) == pytest.approx((RA, DEC), abs=1e-6)


def test_regions_and_gain_of_the_header_overrule_the_description(night: Night) -> None:
    for row in night.tables["frame_isr"]:
        assert row["gain"] == pytest.approx(GAIN)
        assert row["overscan"] == pytest.approx(LEVEL_ADU + 5.0, abs=0.5)
        assert row["noise"] == pytest.approx(READ_NOISE_E, rel=0.03)
        assert row["sky_level_e"] == pytest.approx(SKY_E * night.response, rel=0.02)  # and some starlight
        assert row["n_saturated"] >= 12
    assert len({row["master_kind_id"] for row in night.tables["master"]}) == 3


def test_bias_dark_and_flat_are_undone(night: Night) -> None:
    place = product.path("calexp", visit=14, ccd=0, pointing=night.of("visit", 14)["pointing"], filter="Rc")
    image, words = product.read_image(night.folder / "rerun" / "own" / place)
    assert image.shape == (NY, NX)
    assert (image.mask[60:64, 300:303] & SAT != 0).all()
    empty = image.data - night.field.model * night.response
    empty[image.mask & SAT != 0] = np.nan
    blocks = np.nanmedian(empty[:, :480].reshape(8, 64, 8, 60), axis=(1, 3))
    assert np.abs(blocks).max() < 6.0  # e of 900: dark 60 e, bias pattern 5 e, flat 25 %
    center = header.wcs_from_header(words).pixel_to_sky((NX - 1) / 2, (NY - 1) / 2)
    assert sphere.separation(*center, *night.wcs.crval) * 3600 < 0.1


def test_sources_have_the_fluxes_and_places_of_the_sky(night: Night) -> None:
    field = night.field
    for visit in (14, 15):
        found = night.sources(visit)
        apart = np.hypot(
            found["base_SdssCentroid_x"][:, None] - field.x, found["base_SdssCentroid_y"][:, None] - field.y
        )
        nearest = apart.argmin(axis=0)
        is_found = apart.min(axis=0) < 1.0
        assert is_found.mean() > 0.97  # one may lie on the saturated spot
        ratio = found["base_PsfFlux_instFlux"][nearest[is_found]] / field.flux[is_found]
        assert np.median(ratio) == pytest.approx(night.response, rel=0.01)
        bright = is_found & (field.flux > np.median(field.flux))
        ra, dec = (np.degrees(found[name][nearest[bright]]) for name in ("coord_ra", "coord_dec"))
        true = night.wcs.pixel_to_sky(field.x[bright], field.y[bright])
        assert np.median(sphere.separation(ra, dec, *true)) * 3.6e6 < 25.0  # mas; 0.05 pix
        solved = night.of("wcs_solution", visit)
        assert solved["rms_mas"] < 60.0
        electrons = night.of("flux_scale", visit)["flux_mag0_e"] / night.response
        assert 2.5 * np.log10(electrons) == pytest.approx(ZERO_POINT, abs=0.01)
