"""Rows of wcs_solution and flux_scale, and the cards of mosaic's and jointcal's files, from the solved frames."""

from typing import Any

import numpy as np

from hscdb.mosaic import basis
from hscdb.mosaic.frames import FluxPolynomial, Solved
from hscdb.mosaic.rows import Rows, build
from hscdb.sky import sphere

Card = tuple[str, Any, str]
NJY_MAG0 = 3631e9  # nJy of AB magnitude 0
_MAS_PER_DEG = 3.6e6


def _judged(statuses: list[str], is_accepted: bool) -> list[str]:
    return statuses if is_accepted else ["rejected"] * len(statuses)


def wcs_rows(key: dict[str, int], tract: int, solved: list[Solved], is_accepted: bool) -> Rows:
    """Rows of wcs_solution, stage mosaic."""
    corners = [one.wcs.corners(one.ccd.width, one.ccd.height) for one in solved]
    ra, dec = np.array([one.wcs.crval for one in solved]).reshape(-1, 2).T
    radius = [float(np.max(sphere.separation(ra[i], dec[i], *corner))) for i, corner in enumerate(corners)]
    return build(
        len(solved), **key, stage="mosaic",
        visit=_ints(solved, "visit"), ccd=np.array([s.ccd.ccd for s in solved], np.int64),
        tract=tract, status=_judged([s.status for s in solved], is_accepted), crval1_deg=ra, crval2_deg=dec,
        crpix1_pix=np.array([s.wcs.crpix[0] for s in solved]), crpix2_pix=np.array([s.wcs.crpix[1] for s in solved]),
        cd1_1_deg=np.array([s.wcs.cd[0, 0] for s in solved]), cd1_2_deg=np.array([s.wcs.cd[0, 1] for s in solved]),
        cd2_1_deg=np.array([s.wcs.cd[1, 0] for s in solved]), cd2_2_deg=np.array([s.wcs.cd[1, 1] for s in solved]),
        sip_order=np.array([s.wcs.order for s in solved], int), sip_a=[s.wcs.sip_a() for s in solved],
        sip_b=[s.wcs.sip_b() for s in solved], corner_ra=[np.asarray(c[0]).tolist() for c in corners],
        corner_dec=[np.asarray(c[1]).tolist() for c in corners], ra=ra, dec=dec, radius_deg=np.array(radius),
        n_star=_ints(solved, "n_star"), rms_mas=np.array([s.rms_mas for s in solved]),
        place_mas_err=[None if s.place_err is None else s.place_err.tolist() for s in solved],
    )  # fmt: skip


def _ints(solved: list[Solved], name: str) -> Any:
    return np.array([getattr(one, name) for one in solved], np.int64)


def flux_rows(key: dict[str, int], tract: int, solved: list[Solved], is_accepted: bool) -> Rows:
    """Rows of flux_scale, stage mosaic."""
    return build(
        len(solved), **key, stage="mosaic",
        visit=_ints(solved, "visit"), ccd=np.array([s.ccd.ccd for s in solved], np.int64),
        tract=tract, status=_judged([s.flux_status for s in solved], is_accepted),
        flux_mag0_e=np.array([s.mag0_e for s in solved]), flux_mag0_e_err=np.array([s.mag0_e_err for s in solved]),
        poly_order=np.array([s.polynomial.order for s in solved], int),
        poly_mag=[s.polynomial.poly_mag.tolist() for s in solved],
        x0_pix=np.array([s.polynomial.x0 for s in solved]), y0_pix=np.array([s.polynomial.y0 for s in solved]),
        has_jacobian=True, jacobian_area_deg2=np.array([s.area_deg2 for s in solved]),
        visit_mag=np.array([s.visit_mag for s in solved]), ccd_mag=np.array([s.ccd_mag for s in solved]),
        n_star=_ints(solved, "n_star_flux"), rms_mag=np.array([s.rms_mag for s in solved]),
    )  # fmt: skip


def files(one: Solved, wcs: list[Card], is_jointcal: bool, is_absolute: bool) -> list[tuple[str, list[Card]]]:
    """(dataset, cards) of the files of a frame; a frame without a flux scale has none of it.

    wcs : cards of its WCS; is_jointcal: jointcal's files, too; is_absolute: stars are tied to reference magnitudes.
    """
    has_scale = np.isfinite(one.mag0_e)
    wcs = wcs + error_cards(one)
    out = [("wcs", wcs)] + ([("fcr", fcr_cards(one, is_absolute))] if has_scale else [])
    if is_jointcal:
        out.append(("jointcal_wcs", wcs))
        out += [("jointcal_photoCalib", photo_calib_cards(one, is_absolute))] if has_scale else []
    return out


def error_cards(one: Solved) -> list[Card]:
    """CRDERi of the FITS standard (Greisen & Calabretta 2002, A&A 395, 1061): errors of the WCS over the frame."""
    cards: list[Card] = [("ASTRMS", one.rms_mas, "[mas] rms per axis of the stars used")] if one.n_star else []
    if one.place_err is not None:
        error = float(np.sqrt(np.mean(one.place_err**2))) / _MAS_PER_DEG
        cards += [("CRDER1", error, "[deg] one sigma of places, great circle"), ("CRDER2", error, "[deg] one sigma")]
    return cards


def fcr_cards(one: Solved, is_absolute: bool) -> list[Card]:
    """Cards of an fcr file as hscPipe's mosaic wrote them: C_p_q in mag/pix^(p+q) of the rotated pixel frame.

    FLUXMAG0ERR is the error of the zero point; hscPipe stored the scatter of its stars there.
    """
    return [*_polynomial_cards(one.rotated, is_absolute, "of the rotated frame"), *_scale_cards(one)]


def photo_calib_cards(one: Solved, is_absolute: bool) -> list[Card]:
    """Cards of a jointcal_photoCalib file: nJy per count at the optical centre, the field over the image's own pixels.

    nJy = counts CALMEAN 10^(-0.4 P(x, y)) J(x, y).
    """
    mean = NJY_MAG0 / one.mag0_e
    return [
        ("CALMEAN", mean, "[nJy/electron] mean calibration"),
        ("CALERR", mean * one.mag0_e_err / one.mag0_e, "[nJy/electron] one sigma of CALMEAN"),
        *_polynomial_cards(one.polynomial, is_absolute, "of the image"),
        *_scale_cards(one),
    ]


def _polynomial_cards(field: FluxPolynomial, is_absolute: bool, frame: str) -> list[Card]:
    power = basis.square(field.order, field.poly_mag)
    return [
        ("ORDER", field.order, "order of the polynomial"),
        ("ABSOLUTE", is_absolute, "tied to reference magnitudes star by star"),
        ("CHEBYSHEV", False, "plain powers"),
        ("NCOEFF", basis.n_terms(field.order), "number of coefficients"),
        ("U_MAX", 1.0, "[pix] scale of x + X0"),
        ("V_MAX", 1.0, "[pix] scale of y + Y0"),
        ("X0", field.x0, f"[pix] added to x {frame}"),
        ("Y0", field.y0, f"[pix] added to y {frame}"),
        *(
            (f"C_{p}_{q}", float(power[p, q]), f"[mag/pix^{p + q}]")
            for p in range(field.order + 1)
            for q in range(field.order + 1 - p)
        ),
    ]


def _scale_cards(one: Solved) -> list[Card]:
    return [
        ("FLUXMAG0", one.mag0_e, "[electron] counts of an AB magnitude of 0"),
        ("FLUXMAG0ERR", one.mag0_e_err, "[electron] one sigma of FLUXMAG0"),
        ("JACOBIAN", True, "multiply by pixel area / JACAREA"),
        ("JACAREA", one.area_deg2, "[deg2] pixel area at the optical centre"),
        ("STATUS", one.flux_status, "solved or extrapolated"),
    ]
