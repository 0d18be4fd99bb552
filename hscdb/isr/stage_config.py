"""Settings of isr, apart from what it imports: a run keeps those of all stages."""

from dataclasses import dataclass

from hscdb.run.config import setting


@dataclass(frozen=True)
class Config:
    """Every step is a switch; `was` are hscPipe's names."""

    do_vet: bool = setting(True, "refuse frames that are not worth any work; each check makes a row of frame_vet")
    vet_background_min_adu: float = setting(
        -50.0, "median sky above the overscan below which a frame is refused: light is not negative", unit="adu"
    )
    vet_background_max_adu: float = setting(
        20000.0, "median sky above the overscan from which a frame is refused", unit="adu"
    )
    vet_high_adu: float = setting(40000.0, "pixels above it (over the overscan) are high", unit="adu")
    vet_high_fraction_max: float = setting(0.1, "part of high pixels from which a frame is refused")
    vet_fixed_values: tuple[float, ...] = setting(
        (0.0, 32768.0), "raw values that a broken converter gives; none = no check", unit="adu"
    )
    vet_fixed_fraction_max: float = setting(1e-3, "part of pixels of one such value from which a frame is refused")
    vet_hump_min: float = setting(0.2, "humps of the histogram count from this part of the highest on")
    vet_hump_min_adu: float = setting(15.0, "least distance of two humps that refuse a frame", unit="adu")
    vet_hump_max_adu: float = setting(200.0, "largest distance of two humps that refuse a frame", unit="adu")
    vet_acf_max_pix: float = setting(
        12.0, "width of the autocorrelation (about the FWHM; 2 arcsec of HSC) from which a frame is refused", unit="pix"
    )
    do_saturation: bool = setting(True, "mask saturated pixels (SAT)", was="doSaturation")
    do_suspect: bool = setting(True, "mask pixels above the suspect level (SUSPECT)", was="doSuspect")
    do_overscan: bool = setting(True, "subtract the overscan where the camera has one", was="doOverscan")
    overscan_n_bin: int = setting(30, "bins of rows that the overscan's spline goes through", was="overscanOrder")
    overscan_n_sigma: float = setting(
        3.0, "clipping of the pixels of an overscan row", was="overscanNumSigmaClip overscanRej"
    )
    overscan_deviation_max_adu: float = setting(
        1000.0, "overscan pixels further from the median are dropped", unit="adu", was="overscanMaxDev"
    )
    do_bias: bool = setting(True, "subtract the master bias", was="doBias")
    do_linearity: bool = setting(True, "correct the response to a straight line", was="doLinearize")
    do_crosstalk: bool = setting(True, "correct the crosstalk of the amplifiers", was="doCrosstalk")
    crosstalk_min_adu: float = setting(
        45000.0, "pixels this far above the sky mark those they strike CROSSTALK", unit="adu", was="minPixelToMask"
    )
    do_empirical_read_noise: bool = setting(
        True, "measure the read noise in the overscan instead of taking the camera's", was="doEmpiricalReadNoise"
    )
    do_defects: bool = setting(True, "mask the defects of the ccd (BAD)", was="doDefect")
    do_found_defects: bool = setting(
        True, "take a master of kind defects that holds on the night instead of the camera's list, if there is one"
    )
    amplifier_ratio_min: float = setting(
        0.3, "an amplifier whose sky is below this part of the others' is dead (BAD); 0 = not looked at"
    )
    do_vignette: bool = setting(True, "mask what lies outside the lit circle (NO_DATA)", was="doVignette")
    do_widen_trails: bool = setting(True, "widen saturation trails", was="doWidenSaturationTrails")
    grow_saturation_pix: int = setting(
        1, "grow saturated pixels before they are interpolated over", unit="pix", was="growSaturationFootprintSize"
    )
    do_dark: bool = setting(True, "subtract the master dark, times the dark time", was="doDark")
    do_flat: bool = setting(True, "divide by the master flat", was="doFlat")
    flat_min: float = setting(0.05, "pixels of lower response in the flat are BAD")
    do_fringe: bool = setting(
        True, "subtract the master fringe, scaled to the frame, in the camera's fringing filters", was="doFringe"
    )
    do_sky: bool = setting(False, "subtract the master sky's pattern, scaled to all ccds of the visit", was="doSky")
    do_interpolate: bool = setting(
        True, "interpolate over BAD, SAT and NaN pixels (INTRP)", was="doInterpolate doSaturationInterpolation"
    )
    fwhm_arcsec: float = setting(1.0, "width of a star for the interpolation", unit="arcsec", was="fwhm")
    reach_pix: int = setting(50, "widest defect that is interpolated over; wider ones get the sky level", unit="pix")
    do_brighter_fatter: bool = setting(
        True, "undo the brighter-fatter effect where the camera has a kernel", was="doBrighterFatter"
    )
    brighter_fatter_min_e: float = setting(
        2000.0, "only where pixels are this far above the sky: below, it is a hundredth of the noise", unit="electron"
    )
    brighter_fatter_n_round: int = setting(10, "largest number of rounds", was="brighterFatterMaxIter")
    brighter_fatter_border_pix: int = setting(8, "border that is not corrected and set EDGE", unit="pix")
    do_rough_zero_point: bool = setting(
        True, "give frames the zero point of the camera's table (FLUXMAG0), until calibrate knows that of the stars"
    )
    keep_image: bool = setting(False, "keep postISRCCD after the frame was measured", was="doWrite")
