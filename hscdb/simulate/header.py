"""The header of a raw frame: keywords, order and formats of Subaru's archive, or those of a plain camera."""

from typing import Any

import numpy as np
from astropy.time import Time

from hscdb.camera import focalplane
from hscdb.camera.model import Box, Camera, Ccd
from hscdb.simulate.exposure import Exposure, find_filter, is_hsc_like
from hscdb.simulate.setup import Setup
from hscdb.sky import sphere

Card = tuple[str, Any, str]
_TYPE = {"science": "OBJECT", "bias": "BIAS", "dark": "DARK", "flat": "DOMEFLAT"}
_OBJECT = {"science": "SIMULATION", "bias": "BIAS", "dark": "DARK", "flat": "DOMEFLAT"}
_ROUGH_SCALE_DEG = 4.7222222222222e-05  # 0.17 arcsec, what Subaru's headers say everywhere


def file_name(camera: Camera, exposure: Exposure, ccd: Ccd) -> str:
    """HSCA<6 digits><SDO id>.fits: the even number is the visit, BEE 1 has the odd one after it."""
    if is_hsc_like(camera):
        return frame_id(exposure.visit, ccd) + ".fits"
    return f"{camera.name}-{exposure.visit:07d}-{ccd.ccd:03d}.fits"


def frame_id(visit: int, ccd: Ccd) -> str:
    """FRAMEID of a CCD of a visit; its name is <BEE id>_<SDO id>."""
    bee, sdo = (int(part) for part in ccd.name.split("_"))
    return f"HSC{chr(ord('A') + visit // 1_000_000)}{visit % 1_000_000 + bee:06d}{sdo:02d}"


def cards(setup: Setup, camera: Camera, exposure: Exposure, ccd: Ccd) -> list[Card]:
    """All cards but the mandatory ones of the file format."""
    if is_hsc_like(camera):
        return _hsc(setup, camera, exposure, ccd)
    return _plain(camera, exposure, ccd)


def _sexagesimal(angle: float, n_digit: int, sign: bool) -> str:
    """An angle [hour or degree] as dd:mm:ss.s; rounded as a whole, so that no 60 appears."""
    unit = 10**n_digit
    total = round(abs(angle) * 3600 * unit)
    minutes, seconds = divmod(total, 60 * unit)
    hours, minutes = divmod(minutes, 60)
    front = ("-" if angle < 0 else "+") if sign else ""
    width = 3 + n_digit if n_digit else 2
    return f"{front}{hours % (24 if not sign else 1000):02d}:{minutes:02d}:{seconds / unit:0{width}.{n_digit}f}"


def _clock(mjd: float, zone_h: float = 0.0) -> str:
    return _sexagesimal(((mjd + zone_h / 24.0) % 1.0) * 24.0, 3, False)


def _altitude(camera: Camera, exposure: Exposure, mjd: float) -> tuple[float, float]:
    """(local sidereal time [h], altitude [deg]); never below 30 deg, where nobody would have observed."""
    site = camera.settings.get("site", {})
    lst = (280.46062 + 360.98564737 * (mjd - 51544.5) + site.get("longitude_deg", 0.0)) % 360.0
    zenith = sphere.separation(exposure.ra, exposure.dec, lst, site.get("latitude_deg", exposure.dec))
    return lst / 15.0, max(90.0 - float(zenith), 30.0)


def _plain(camera: Camera, exposure: Exposure, ccd: Ccd) -> list[Card]:
    _, altitude = _altitude(camera, exposure, exposure.start_mjd)
    kind = {"science": "OBJECT", "bias": "BIAS", "dark": "DARK", "flat": "FLAT"}[exposure.kind]
    return [
        ("DATE-OBS", Time(exposure.start_mjd, format="mjd").isot, "UTC at the start of the exposure"),
        ("MJD-OBS", exposure.start_mjd, "[d] UTC at the start of the exposure"),
        ("EXPTIME", exposure.exposure_s, "[s] exposure time"),
        ("IMAGETYP", kind, "kind of frame"),
        ("OBJECT", _OBJECT[exposure.kind], "object"),
        ("FILTER", exposure.filter, "filter"),
        ("RA", _sexagesimal(exposure.ra / 15.0, 3, False), "[h] pointing, ICRS"),
        ("DEC", _sexagesimal(exposure.dec, 2, True), "[deg] pointing, ICRS"),
        ("AIRMASS", 1.0 / np.sin(np.radians(altitude)), "at the start"),
        ("CCD-TEMP", -100.0, "[C]"),
        ("INSTRUME", camera.name, "instrument"),
        ("CCD", ccd.ccd, "number of the CCD"),
        ("FILENAME", file_name(camera, exposure, ccd), "name at creation"),
    ]


def _hsc(setup: Setup, camera: Camera, exposure: Exposure, ccd: Ccd) -> list[Card]:
    return [
        ("BUNIT", "ADU", "Unit of original pixel value"),
        ("BLANK", -32768, "Value used for NULL pixels"),
        ("TIMESYS", "UTC", "Time System used in the header"),
        *_times(camera, exposure),
        *_program(setup, exposure, ccd),
        *_pointing(camera, exposure, ccd),
        *_instrument(camera, exposure, ccd),
        *_readout(ccd),
    ]


def _times(camera: Camera, exposure: Exposure) -> list[Card]:
    start = exposure.start_mjd
    end = start + (exposure.exposure_s + 1.9) / 86400.0  # the shutter's travel is part of it
    typical = start + 0.02 / 86400.0
    found: list[Card] = [("DATE-OBS", Time(start, format="mjd").isot[:10], "Observation start date  (yyyy-mm-dd)")]
    for suffix, mjd, text in (("-STR", start, "start"), ("", typical, "typical"), ("-END", end, "end")):
        lst, altitude = _altitude(camera, exposure, mjd)
        found += [
            (f"UT{suffix}", _clock(mjd), f"HH:MM:SS.S UTC, {text}"),
            (f"HST{suffix}", _clock(mjd, -10.0), f"HH:MM:SS.S HST, {text}"),
            (f"LST{suffix}", _sexagesimal(lst, 3, False), f"HH:MM:SS.SSS LST, {text}"),
            (f"MJD{suffix}", round(mjd, 11), f"[d] Mod.Julian Date, {text}"),
        ]
        if suffix:
            found.append((f"ZD{suffix}", round(90.0 - altitude, 8), f"[degree] Zenith Distance, {text}"))
            found.append(
                (f"SECZ{suffix}", round(1.0 / np.sin(np.radians(altitude)), 3), f"SEC(Zenith Distance), {text}")
            )
    _, altitude = _altitude(camera, exposure, start)
    found.append(("AIRMASS", 1.0 / np.sin(np.radians(altitude)), "Average airmass during exposure"))
    found.append(("ALTITUDE", round(altitude, 8), "[degree] Altitude ang. of telescope pointing"))
    return found


def _program(setup: Setup, exposure: Exposure, ccd: Ccd) -> list[Card]:
    visit = exposure.visit
    letter, number = chr(ord("A") + visit // 1_000_000), visit % 1_000_000
    exp_id = f"HSC{letter}{number:06d}00" if setup.is_old_exp_id else f"HSCE{visit:08d}"
    return [
        ("PROP-ID", "o99999", "Proposal ID"),
        ("OBSERVER", "simulation", "Names of the Observers"),
        ("FRAMEID", frame_id(visit, ccd), "Image sequential number"),
        ("EXP-ID", exp_id, "Exposure ID"),
        ("DATASET", "NODATA", "ID of dataset this data were taken"),
        ("OBS-MOD", "IMAG", "Observation Mode"),
        ("OBS-ALOC", "Observation" if exposure.kind == "science" else "Calibration", "Allocation Mode"),
        ("DATA-TYP", _TYPE[exposure.kind], "Characteristics of this data"),
        ("OBJECT", _OBJECT[exposure.kind], "Object"),
    ]


def _pointing(camera: Camera, exposure: Exposure, ccd: Ccd) -> list[Card]:
    ra, dec = _sexagesimal(exposure.ra / 15.0, 3, False), _sexagesimal(exposure.dec, 2, True)
    x, y = focalplane.focal_to_pixel(ccd, 0.0, 0.0)
    # As in the archive: the boresight in pixels of the unflipped CCD without its overscans, and a turn without
    # distortion, good to some arcseconds near the center only.
    file_x = ccd.width - 1 - x if "LR" in ccd.flip else x
    file_y = ccd.height - 1 - y if "TB" in ccd.flip else y
    turn = focalplane.orientation(camera, exposure.pa_deg) @ _turn_of(ccd)
    turn = turn @ np.diag([-1.0 if "LR" in ccd.flip else 1.0, -1.0 if "TB" in ccd.flip else 1.0]) * _ROUGH_SCALE_DEG
    return [
        ("RA", ra, "Right ascension of telescope pointing"),
        ("DEC", dec, "Declination of telescope pointing"),
        ("RA2000", ra, "Right ascension of telescope pointing (J2000)"),
        ("DEC2000", dec, "Declination of telescope pointing (J2000)"),
        ("RADESYS", "FK5", "The equatorial coordinate system"),
        ("EQUINOX", 2000.0, "[y] Equinox"),
        ("CTYPE1", "RA---TAN", "Pixel coordinate system"),
        ("CRPIX1", round(float(file_x) + 1.0, 3), "Reference pixel in x (pixel)"),
        ("CRVAL1", round(exposure.ra, 9), "Physical value of the reference pixel in x"),
        ("CUNIT1", "degree", "Units used in both CRVAL1 and CD matrix"),
        ("CTYPE2", "DEC--TAN", "Pixel coordinate system"),
        ("CRPIX2", round(float(file_y) + 1.0, 3), "Reference pixel in y (pixel)"),
        ("CRVAL2", round(exposure.dec, 9), "Physical value of the reference pixel in y"),
        ("CUNIT2", "degree", "Units used in both CRVAL2 and CD matrix"),
        *(
            (f"CD{i + 1}_{j + 1}", float(turn[i, j]), "Pixel Coordinate transformation matrix")
            for i in (0, 1)
            for j in (0, 1)
        ),
        ("LONGPOLE", 180.0, "[degree] The North Pole of standard system"),
        ("WCS-ORIG", "Rough estimation", "Origin/quality of the WCS values"),
        ("INST-PA", exposure.pa_deg, "Position Angle of the Instrument Flange"),
    ]


def _turn_of(ccd: Ccd) -> np.ndarray[Any, Any]:
    c, s = np.cos(np.radians(ccd.yaw_deg)), np.sin(np.radians(ccd.yaw_deg))
    return np.array([[c, -s], [s, c]])


def _instrument(camera: Camera, exposure: Exposure, ccd: Ccd) -> list[Card]:
    chosen = find_filter(camera, exposure.filter).filter
    # FILTER01 has the small letter of the broad bands: HSC-i.
    written = chosen[:4] + chosen[4:].lower() if chosen.startswith("HSC-") else chosen
    return [
        ("OBSERVAT", "NAOJ", "Observatory"),
        ("TELESCOP", "Subaru", "Telescope name"),
        ("FOC-POS", "PRIME", "Position of the instrument focus unit"),
        ("TELFOCUS", "P_OPT2", "The Focus where beam reaches"),
        ("FOC-VAL", 3.75, "[mm] Encoder value of the focus unit"),
        ("FILTER01", written, "Filter barcode"),
        ("EXPTIME", float(exposure.exposure_s), "Exposure time"),
        ("INSTRUME", "Hyper Suprime-Cam", "Name of instrument"),
        ("DET-ID", ccd.ccd, "Sequential number assigned for the entire CCDs"),
        ("DET-TMP", -100.0, "CCD Temperature value [celsius degree]"),
        ("GAIN", 0.0, "AD conversion factor (electron/ADU)"),
        ("BIN-FCT1", 1, "Binning factor of axis 1"),
        ("BIN-FCT2", 1, "Binning factor of axis 2"),
        ("WEATHER", "Fine", "Weather condition"),
        ("SEEING", 0.0, "[arcsec] FWHM of the star at telescope focus"),
        ("ADC-TYPE", "LINK", "ADC state"),
        ("INR-STR", 0.0, "[degree] Inst. rotator angle at start"),
        ("INR-END", 0.0, "[degree] Inst. rotator angle at end"),
        ("DOM-TMP", 274.0, "[Kelvin] Atm. temp. in the dome/enclosure"),
        ("OUT-TMP", 273.0, "[Kelvin] Atm. temp. outside the dome/encl."),
        ("DOM-HUM", 20.0, "[%] Humidity in the dome"),
        ("OUT-HUM", 20.0, "[%] Humidity outside the dome/encl."),
        ("DOM-PRS", 623.0, "[hPa] Atm. pressure in the dome"),
        ("OUT-PRS", 623.0, "[hPa] Atm. press. outside the dome/encl."),
    ]


def _readout(ccd: Ccd) -> list[Card]:
    """Regions and gains per channel, channels counted from the left of the file; 1-based, both ends included."""
    bee, sdo = (int(part) for part in ccd.name.split("_"))
    found: list[Card] = [
        ("T_AG", False, "AG Exposure"),
        ("T_UFNAME", f"object000_{ccd.name}.fits", "Original filename"),
    ]
    amps = sorted(ccd.amplifiers, key=lambda amp: _in_file(ccd, amp.raw_box)[0])
    # The lab's gains in the headers are some percent below those of the flat fields.
    found += [
        (f"T_GAIN{n}", round(0.94 * amp.gain_e_per_adu, 2), f"Gain for channel {n}") for n, amp in enumerate(amps, 1)
    ]
    found += [
        ("T_CCDID", "undefined", "Name of CCD"),
        ("T_XFLIP", False, "CCD readout is x-flipped when create image"),
        ("T_YFLIP", False, "CCD readout is y-flipped when create image"),
        ("T_CCDSN", f"{ccd.ccd + 1:03d}", "CCD Serial Number"),
        ("T_NFRAME", 112, "Number of total frames"),
        ("T_CCDTV", -100.0, "CCD Temperature value [celsius degree]"),
        ("T_CFGFIL", "20140306.cfg", "Configuration for formatting FITS data"),
        ("T_BEEID", bee, "ID for BEE used for CCD readout"),
        ("T_SDOID", sdo, "SDO-ID of CCD"),
    ]
    for n, amp in enumerate(amps, 1):
        x0, x1, y0, y1 = _in_file(ccd, amp.raw_box)
        over = _in_file(ccd, amp.overscan) if amp.overscan is not None else (x0, x0 - 1, y0, y1)
        rows = (y1 + 1, ccd.raw_height) if "TB" not in ccd.flip else (1, y0 - 1)
        for axis, (effective, overscan) in enumerate((((x0, x1), over[:2]), ((y0, y1), rows)), 1):
            for key, region, (low, high) in (("T_OS", "overscan", overscan), ("T_EF", "effective", effective)):
                found.append((f"{key}MN{n}{axis}", low, f"MIN pixel of {'xy'[axis - 1]}-{region} range for ch{n}"))
                found.append((f"{key}MX{n}{axis}", high, f"MAX pixel of {'xy'[axis - 1]}-{region} range for ch{n}"))
    return found


def _in_file(ccd: Ccd, box: Box) -> tuple[int, int, int, int]:
    """(first column, last column, first row, last row) of a box of the flipped frame in the file, 1-based."""
    x0 = ccd.raw_width - box.x0 - box.width if "LR" in ccd.flip else box.x0
    y0 = ccd.raw_height - box.y0 - box.height if "TB" in ccd.flip else box.y0
    return x0 + 1, x0 + box.width, y0 + 1, y0 + box.height
