"""From a camera's folder to a `Camera`: camera.toml and the CSV tables it names.

A camera is data. `camera.toml` alone is enough (see single/camera.toml); large cameras keep their tables in CSV files
beside it. `like = "hsc"` takes over the sections that are not given from a shipped camera, `hdus`, keyword map and all.
"""

import csv
import hashlib
import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hscdb.camera.model import Amplifier, Box, Camera, Ccd, ColorTerm, Defect, Filter
from hscdb.errors import ConfigError

HERE = Path(__file__).parent
# Sections that `like` may take over; geometry and identity never are.
INHERITED = ("header", "filter", "orientation", "color_term_set", "crosstalk", "fringe", "site", "visit_info")


def shipped() -> list[str]:
    """Names of the cameras that come with hscdb."""
    return sorted(path.parent.name for path in HERE.glob("*/camera.toml"))


def load(name_or_path: str | Path) -> Camera:
    """The camera of this name (see `shipped`), or of a folder or TOML file anywhere.

    ConfigError `unknown_camera` if there is none, `bad_camera` if its description does not fit together.
    """
    path = find(name_or_path)
    try:
        return _read(path)
    except KeyError as error:
        raise ConfigError(f"camera {path}: {error} is missing. Add it.", "bad_camera") from error
    except (tomllib.TOMLDecodeError, TypeError, ValueError) as error:
        raise ConfigError(f"camera {path}: {error}. Correct the file.", "bad_camera") from error


def find(name_or_path: str | Path) -> Path:
    """The camera.toml that a name or path means. ConfigError `unknown_camera` if there is none."""
    given = Path(name_or_path)
    own = [HERE / given.name / "camera.toml"] if given.name == str(name_or_path) else []
    for path in [*own, given, given / "camera.toml"]:
        if path.is_file():
            return path
    raise ConfigError(
        f"camera: no camera '{name_or_path}' (there are {', '.join(shipped())}). "
        "Give one of these, or the path of a camera.toml.",
        "unknown_camera",
    )


def _read(path: Path) -> Camera:
    settings = _settings(path)
    digest = hashlib.sha256(path.read_bytes())
    tables: dict[str, list[dict[str, str]]] = {}
    for kind, name in settings.get("tables", {}).items():
        content = (path.parent / name).read_bytes()
        digest.update(content)
        if kind not in ("crosstalk", "brighter_fatter"):
            tables[kind] = list(csv.DictReader(content.decode().splitlines()))
    matrices = {
        kind: np.loadtxt(path.parent / settings["tables"][kind], delimiter=",", ndmin=2)
        for kind in ("crosstalk", "brighter_fatter")
        if kind in settings.get("tables", {})
    }
    filters = tuple(_filter(one) for one in settings["filter"])
    camera = Camera(
        name=settings["name"],
        description=settings["description"],
        pixel_scale_arcsec=float(settings["pixel_scale_arcsec"]),
        ccds=_ccds(settings, tables.get("ccds", []), tables.get("amplifiers", [])),
        filters=filters,
        color_terms=tuple(_color_term(row) for row in _rows(settings, tables, "color_terms", "color_term")),
        defects=tuple(_defect(row) for row in _rows(settings, tables, "defects", "defect")),
        distortion=_distortion(_rows(settings, tables, "distortion", "distortion")),
        vignette=_vignette(settings.get("vignette")),
        settings=settings,
        sha256=digest.hexdigest(),
        crosstalk=_crosstalk(settings, matrices),
        brighter_fatter=matrices.get("brighter_fatter"),
        color_term_set=settings.get("color_term_set", ""),
    )
    _check(camera)
    return camera


def _settings(path: Path) -> dict[str, Any]:
    settings = tomllib.loads(path.read_text(encoding="utf-8"))
    if "like" in settings:
        parent = _settings(find(settings["like"]))
        settings = {key: parent[key] for key in INHERITED if key in parent} | settings
    return settings


def _rows(
    settings: Mapping[str, Any], tables: Mapping[str, list[dict[str, str]]], table: str, section: str
) -> list[Mapping[str, Any]]:
    """Rows of a CSV table, or of the section [[...]] of the TOML file."""
    return list(tables.get(table, [])) or list(settings.get(section, []))


def _ccds(
    settings: Mapping[str, Any], ccd_rows: list[dict[str, str]], amp_rows: list[dict[str, str]]
) -> dict[int, Ccd]:
    raw = settings.get("raw", {})
    layout = {int(one["amp"]): one for one in settings.get("amplifier", [])}
    of_ccd: dict[int, list[Mapping[str, Any]]] = {}
    for row in amp_rows:
        of_ccd.setdefault(int(row["ccd"]), []).append(row)
    ccds = {}
    for row in [*ccd_rows, *settings.get("ccd", [])]:
        ccd = _ccd(row, raw)
        own = row.get("amplifier") or of_ccd.get(ccd.ccd) or [{"amp": amp} for amp in layout]
        amplifiers = tuple(_amplifier({**layout.get(int(one["amp"]), {}), **one}, raw) for one in own)
        if ccd.ccd in ccds:
            raise ValueError(f"ccd {ccd.ccd} is described twice")
        ccds[ccd.ccd] = replace(ccd, amplifiers=tuple(sorted(amplifiers, key=lambda one: one.amp)))
    return ccds


def _ccd(row: Mapping[str, Any], raw: Mapping[str, Any]) -> Ccd:
    width, height = int(row["width_pix"]), int(row["height_pix"])
    yaw_deg = float(row.get("yaw_deg", 0.0))
    return Ccd(
        ccd=int(row["ccd"]),
        name=str(row.get("name", row["ccd"])),
        kind=str(row.get("kind", "science")),
        width=width,
        height=height,
        u_pix=float(row.get("u_pix", 0.0)),
        v_pix=float(row.get("v_pix", 0.0)),
        yaw_deg=yaw_deg,
        n_quarter=int(row.get("n_quarter", round(yaw_deg / 90.0) % 4)),
        center_x_pix=float(row.get("center_x_pix", (width - 1) / 2)),
        center_y_pix=float(row.get("center_y_pix", (height - 1) / 2)),
        flip=str(row.get("flip", raw.get("flip", ""))),
        vignetted_fraction=float(row.get("vignetted_fraction", 0.0)),
        raw_width=int(row.get("raw_width", raw.get("width", 0))),
        raw_height=int(row.get("raw_height", raw.get("height", 0))),
    )


def _amplifier(row: Mapping[str, Any], raw: Mapping[str, Any]) -> Amplifier:
    """One amplifier; a level that is not given is NaN: nothing is above it."""
    gain = float(row["gain_e_per_adu"])
    read_noise = float(row["read_noise_e"]) if "read_noise_e" in row else float(row["read_noise_adu"]) * gain
    return Amplifier(
        amp=int(row["amp"]),
        box=Box(**row["box"]),
        raw_box=Box(**row["raw_box"]),
        overscan=Box(**row["overscan"]) if row.get("overscan") else None,
        gain_e_per_adu=gain,
        read_noise_e=read_noise,
        saturation_adu=float(row.get("saturation_adu") or raw.get("saturation_adu", math.nan)),
        suspect_adu=float(row.get("suspect_adu") or raw.get("suspect_adu", math.nan)),
        linearity_c0=float(row.get("linearity_c0") or 0.0),
        is_mirrored=bool(row.get("is_mirrored", False)),
        sky_adu=float(row.get("sky_adu") or 0.0),
    )


def _filter(row: Mapping[str, Any]) -> Filter:
    return Filter(**{**row, "aliases": tuple(row.get("aliases", ())), "lambda_nm": row.get("lambda_nm")})


def _color_term(row: Mapping[str, Any]) -> ColorTerm:
    words = (row[key] for key in ("color_term_set", "refcat_glob", "filter", "primary_band", "secondary_band"))
    return ColorTerm(*words, *(float(row[key]) for key in ("c0", "c1", "c2")))


def _defect(row: Mapping[str, Any]) -> Defect:
    box = Box(*(int(row[key]) for key in ("x0", "y0", "width", "height")))
    return Defect(int(row["ccd"]), str(row.get("valid_start", "1970-01-01")), box)


def _distortion(rows: Iterable[Mapping[str, Any]]) -> tuple[Any, Any, Any, Any] | None:
    rows = list(rows)
    if not rows:
        return None
    powers = (np.array([int(row[key]) for row in rows]) for key in ("nx", "ny"))
    coefficients = (np.array([float(row[key]) for row in rows]) for key in ("x_coeff", "y_coeff"))
    nx, ny = powers
    cx, cy = coefficients
    return nx, ny, cx, cy


def _vignette(section: Mapping[str, Any] | None) -> tuple[float, float, float] | None:
    if section is None:
        return None
    return float(section["u_pix"]), float(section["v_pix"]), float(section["radius_pix"])


def _crosstalk(settings: Mapping[str, Any], matrices: Mapping[str, Any]) -> Any:
    if "crosstalk" in matrices:
        return matrices["crosstalk"]
    rows = settings.get("crosstalk", {}).get("matrix")
    return None if rows is None else np.array(rows, dtype=float)


def _check(camera: Camera) -> None:
    """Refuse a description that contradicts itself."""
    known = {one.filter for one in camera.filters}
    strange = {term.filter for term in camera.color_terms} - known
    if strange:
        raise ValueError(f"color terms of filters it does not have: {', '.join(sorted(strange))}")
    if not camera.ccds:
        raise ValueError("it has no [[ccd]]")
    for ccd in camera.ccds.values():
        if not 0 <= ccd.ccd < 200:  # source_id holds visit * 200 + ccd
            raise ValueError(f"ccd number {ccd.ccd} is not between 0 and 199")
        if ccd.flip not in ("", "LR", "TB", "LRTB"):
            raise ValueError(f"ccd {ccd.ccd}: flip '{ccd.flip}' is not one of '', LR, TB, LRTB")
        for amp in ccd.amplifiers:
            if (amp.box.width, amp.box.height) != (amp.raw_box.width, amp.raw_box.height):
                raise ValueError(f"ccd {ccd.ccd} amp {amp.amp}: box and raw_box differ in size")
            if amp.gain_e_per_adu <= 0:
                raise ValueError(f"ccd {ccd.ccd} amp {amp.amp}: gain {amp.gain_e_per_adu} is not positive")
