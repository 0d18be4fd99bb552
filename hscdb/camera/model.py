"""What a camera is: frozen descriptions, filled from `camera/<name>/camera.toml` and its tables by `load.py`."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Box:
    """A rectangle of pixels, 0-based: columns x0 .. x0+width-1, rows y0 .. y0+height-1."""

    x0: int
    y0: int
    width: int
    height: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the box in an array [y, x]."""
        return slice(self.y0, self.y0 + self.height), slice(self.x0, self.x0 + self.width)


@dataclass(frozen=True)
class Amplifier:
    """One readout amplifier.

    box         : its pixels in the trimmed image.
    raw_box     : its data pixels in the raw frame, after the flip on read.
    overscan    : its serial overscan pixels in the raw frame, after the flip on read (rows as raw_box); None if none.
    is_mirrored : read out from the right (its first-read column is the last one).
    sky_adu     : sky that was subtracted before the frame came to us; its photons are still in the noise.
    """

    amp: int
    box: Box
    raw_box: Box
    overscan: Box | None
    gain_e_per_adu: float
    read_noise_e: float
    saturation_adu: float
    suspect_adu: float
    linearity_c0: float = 0.0
    is_mirrored: bool = False
    sky_adu: float = 0.0


@dataclass(frozen=True)
class Ccd:
    """One CCD. (u_pix, v_pix) = focal-plane place of the pixel (center_x_pix, center_y_pix)."""

    ccd: int
    name: str
    kind: str
    width: int
    height: int
    u_pix: float
    v_pix: float
    yaw_deg: float
    n_quarter: int
    center_x_pix: float
    center_y_pix: float
    flip: str = ""  # what is done to the raw array on read: "", "LR" (left-right), "TB" (top-bottom)
    amplifiers: tuple[Amplifier, ...] = ()
    vignetted_fraction: float = 0.0
    raw_width: int = 0  # of the raw frame; 0 = not prescribed
    raw_height: int = 0

    @property
    def is_science(self) -> bool:
        """Whether the CCD takes science data."""
        return self.kind == "science"


MAG_1S_GUESS = 27.0


@dataclass(frozen=True)
class Filter:
    """A physical filter. `aliases` are other spellings found in headers; ref_band is used where no color term is."""

    filter: str
    band: str
    lambda_nm: float | None
    ref_band: str | None = None
    aliases: tuple[str, ...] = ()
    mag_1s: float | None = None  # magnitude of a star giving one electron per second, to 0.2; None: not known

    @property
    def start_mag_1s(self) -> float:
        """mag_1s, or a guess where it is not known: good enough to begin a fit with, and for nothing else."""
        return MAG_1S_GUESS if self.mag_1s is None else self.mag_1s


@dataclass(frozen=True)
class ColorTerm:
    """m_filter = p + c0 + c1 (p - s) + c2 (p - s)^2."""

    color_term_set: str
    refcat_glob: str
    filter: str
    primary_band: str
    secondary_band: str
    c0: float
    c1: float
    c2: float


@dataclass(frozen=True)
class Defect:
    """A bad rectangle of the trimmed image from a date (ISO text) on, until the next list of the ccd."""

    ccd: int
    valid_start: str
    box: Box


@dataclass(frozen=True)
class Camera:
    """A whole camera; `settings` is the parsed camera.toml, for what only one stage needs (keyword map, fringes, ...).

    distortion      : (nx, ny, cx, cy), arrays of one length: field angle = pixel scale * sum c u^nx v^ny; None = 1:1.
    crosstalk       : (n_amp, n_amp), [struck, source]; None = none.
    brighter_fatter : kernel [1/electron]; None = none.
    color_term_set  : the generation of color terms in use unless a setting says otherwise.
    """

    name: str
    description: str
    pixel_scale_arcsec: float
    ccds: dict[int, Ccd]
    filters: tuple[Filter, ...]
    color_terms: tuple[ColorTerm, ...] = ()
    defects: tuple[Defect, ...] = ()
    distortion: Any = None
    vignette: tuple[float, float, float] | None = None  # centre u, v and radius of the lit circle [pix]
    settings: dict[str, Any] = field(default_factory=dict)
    sha256: str = ""
    crosstalk: Any = None
    brighter_fatter: Any = None
    color_term_set: str = ""

    @property
    def own_settings(self) -> dict[str, dict[str, Any]]:
        """{stage: {name: value}} that the camera wants unless a repository or a user says otherwise."""
        return dict(self.settings.get("settings", {}))

    def filter_of(self, spelling: str) -> Filter | None:
        """The filter of this name or alias (capital or small letters); None if the camera has no such filter."""
        wanted = spelling.strip().upper()
        for one in self.filters:
            if wanted == one.filter.upper() or wanted in (alias.upper() for alias in one.aliases):
                return one
        return None

    def defects_on(self, ccd: int, date: str) -> tuple[Box, ...]:
        """The defects of a ccd on a date (ISO text, compared as text): those of the newest list not after it."""
        own = [one for one in self.defects if one.ccd == ccd and one.valid_start <= date]
        newest = max((one.valid_start for one in own), default="")
        return tuple(one.box for one in own if one.valid_start == newest)
