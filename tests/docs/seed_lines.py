"""The command lines of the manuals as they are printed, the files that each must leave, and what it must print."""

from dataclasses import dataclass

VISITS, CCDS = (902798, 902800, 902802), range(4)
# data of the manuals -> data of the simulation
STANDS_FOR = {
    "field=test_field": "field=SIMULATION", "field=NGC604": "field=SIMULATION",
    "visit=20878..20890:2": "visit=902798..902808:2", "visit=903160..903168:2": "visit=902798..902808:2",
}  # fmt: skip
PICTURES = ("DFlux2D.png", "ResFlux.png", "MdM.png", "PosDPos.png", "ResPosScatter.png", "catalog.fits", "ccd.dat",
            "ccdScale.dat", "coeffs.dat", "dmag.dat", "dpos.dat")  # fmt: skip
BY_VISIT = ("ResPosArrow2D", "fcont", "jcont")


def per_frame(run: str, place: str) -> list[str]:
    """The files of all frames: {v} and {c} stand for visit and ccd, {p} for hscPipe's pointing and filter."""
    return [f"rerun/{run}/" + place.format(v=f"{v:07d}", c=f"{c:03d}", p="*/HSC-I") for v in VISITS for c in CCDS]


def diagnostics(folder: str) -> list[str]:
    """What mosaic leaves in the folder of --diagDir, which has one folder per tract."""
    by_visit = [f"{name}_{visit}.png" for name in BY_VISIT for visit in VISITS]
    return [f"{folder}/0000/{name}" for name in (*PICTURES, *by_visit)]


@dataclass(frozen=True)
class Line:
    """A command line of a manual: what it must leave (below the repository) and what it must print."""

    text: str
    files: tuple[str, ...] = ()
    said: str = ""


_V = "{v}-{c}.fits"
_DITH = "--rerun=dith_16h_test --id visit=902798..902808:2 ccd=0..103 tract=0"
LINES = (
    # Getting started tutorial, part 2
    Line("processCcd.py DATA --rerun processCcdOutputs --id --show data", said=r"id dataRef\.dataId = \{.*'visit'"),
    Line("processCcd.py DATA --rerun processCcdOutputs --id filter=HSC-I --show data", said="'filter': 'HSC-I'"),
    Line(
        "processCcd.py DATA --rerun processCcdOutputs --id",
        (
            *per_frame("processCcdOutputs", "{p}/corr/CORR-" + _V),
            *per_frame("processCcdOutputs", "{p}/output/SRC-" + _V),
        ),
    ),
    # hscPipe 7, positions and flux scale
    Line(
        "makeDiscreteSkyMap.py ~/HSC --calib ~/HSC/CALIB --rerun test --id field=test_field",
        said=r"(?m)^makeDiscreteSkyMap INFO: tract 0 has corners (\([\d., -]+\),? ){4}\(RA, Dec deg\) and \d+ x \d+ pa",
    ),
    Line(
        "jointcal.py ~/HSC/ --calib ~/HSC/CALIB --rerun test --id visit=20878..20890:2 tract=0 ccd=0..103",
        (
            *per_frame("test", "jointcal-results/0000/jointcal_photoCalib-" + _V),
            *per_frame("test", "jointcal-results/0000/jointcal_wcs-" + _V),
        ),
    ),
    Line("mosaic.py ~/HSC/ --calib ~/HSC/CALIB --rerun test --id visit=20878..20890:2 tract=0 ccd=0..103"),
    Line(
        "mosaic.py ~/HSC/ --calib ~/HSC/CALIB --rerun test --id visit=20878..20890:2 tract=0 ccd=0..103 "
        "--diagnostics --diagDir ~/HSC/rerun/mosaic_diag",
        tuple(diagnostics("rerun/mosaic_diag")),
    ),
    Line(
        "calibrateExposure.py ~/HSC --calib ~HSC/CALIB --rerun test --id field=NGC604 tract=0 ccd=0..103 -j 8",
        tuple(per_frame("test", "{p}/corr/0000/CALEXP-" + _V)),
    ),
    Line(
        "calibrateCatalog.py ~/HSC --calib ~/HSC/CALIB --rerun test --id field=NGC604 tract=0 ccd=0..103 "
        "--config doApplyCalib=False -j 8",
        tuple(per_frame("test", "{p}/output/0000/CALSRC-" + _V)),
    ),
    # hscPipe 3 and 4
    Line(
        f"mosaic.py $home/hsc --calib=$home/hsc/CALIB {_DITH}",
        (
            *per_frame("dith_16h_test", "{p}/corr/0000/fcr-" + _V),
            *per_frame("dith_16h_test", "{p}/corr/0000/wcs-" + _V),
        ),
    ),
    Line(
        "mosaic.py $home/hsc --calib=$home/hsc/CALIB --rerun=dith_16h_test "
        "--id visit=903160..903168:2 ccd=0..103 tract=0"
    ),
    Line(
        f"calibrateExposure.py $home/hsc {_DITH} -j 8",
        tuple(per_frame("dith_16h_test", "{p}/corr/0000/CALEXP-" + _V)),
    ),
    Line(
        f"calibrateCatalog.py $home/hsc {_DITH} --config doApplyCalib=False -j 8",
        tuple(per_frame("dith_16h_test", "{p}/output/0000/CALSRC-" + _V)),
    ),
    Line(
        f"mosaic.py $home/hsc --calib=$home/hsc/CALIB {_DITH} "
        "--config outputDiag=True outputDir=~/hsc/rerun/dith_16h_test/output_mosaic --clobber-config",
        tuple(diagnostics("rerun/dith_16h_test/output_mosaic")),
    ),
    Line(
        f"mosaic.py $home/HSC --calib=$home/hsc/CALIB {_DITH} "
        "--diagnostics --diagDir=~/hsc/rerun/dith_16h_test/output_mosaic --clobber-config",
        tuple(diagnostics("rerun/dith_16h_test/output_mosaic")),
    ),
)  # fmt: skip
