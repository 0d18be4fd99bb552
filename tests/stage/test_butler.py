"""The butler: what it finds in tables and files, and what it says when there is nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg.types.json import Jsonb
from test_worker import fill

from hscdb.butler import Box2I, Butler, Extent2I, FluxFitParams, NoResults, Point2I, getDataRef
from hscdb.butler.exposure import Exposure
from hscdb.butler.psf import Psf
from hscdb.cli import main
from hscdb.detect import catalog as detected
from hscdb.errors import ConfigError, DataError, InputError
from hscdb.fits import product
from hscdb.fits.header import wcs_cards
from hscdb.image.mask import BIT
from hscdb.image.plane import Image
from hscdb.image.psf import gaussian
from hscdb.run.config import Settings
from hscdb.run.litter import delete_run
from hscdb.run.repository import Repository, enter_camera
from hscdb.run.rerun import open_run
from hscdb.sky.wcs import Wcs

SHAPE = (40, 50)
WCS = Wcs((150.0, 2.0), (20.0, 30.0), np.array([[-4.6e-5, 1e-7], [1e-7, 4.6e-5]]))
FRAMES = [(visit, ccd) for visit in (100, 102, 104) for ccd in range(4)]


def trio(visit: int, ccd: int) -> Image:
    """An image that no other frame has."""
    rng = np.random.default_rng(1000 * visit + ccd)
    mask = np.where(rng.random(SHAPE) < 0.1, 1 << BIT["CR"], 0) | np.where(rng.random(SHAPE) < 0.1, 1 << BIT["SAT"], 0)
    return Image(rng.normal(0, 5, SHAPE).astype("f4"), np.full(SHAPE, 25, "f4"), mask.astype("i4"))


def table(visit: int, ccd: int, n: int = 6) -> tuple[Any, Any, Any]:
    """A src table of n sources as detect writes it."""
    rows = np.zeros(n, detected.SOURCE)
    rows["source_id"] = ((visit * 200 + ccd) << 32) + np.arange(1, n + 1)
    rows["x_pix"], rows["y_pix"] = np.linspace(5, 45, n), np.linspace(3, 36, n)
    rows["psf_flux_e"], rows["psf_flux_e_err"] = 1000.0 * np.arange(1, n + 1), 10.0
    rows["ixx_pix2"], rows["iyy_pix2"], rows["ixy_pix2"] = 4.0, 3.0, 0.5
    rows["extendedness"] = np.arange(n) % 2
    rows["flags"] = np.where(np.arange(n) == 2, 1 << 4, 0)  # saturated_center
    found, units, cards = detected.src(rows)
    found["coord_ra"], found["coord_dec"] = np.radians(WCS.pixel_to_sky(rows["x_pix"], rows["y_pix"]))
    return found, units, cards


class Filled:
    """A repository of the toy camera whose products were written by hand."""

    def __init__(self, folder: Path, dsn: str) -> None:
        self.folder, self.dsn = folder, dsn
        (folder / "hscdb.toml").write_text('camera = "toy"\n')
        with Repository.open(folder, dsn) as repository:
            enter_camera(repository.engine, repository.camera)
            fill(dsn)
            self.runs = {
                word.rpartition(":")[2]: open_run(repository.engine, word, Settings({}), []).run_id
                for word in ("calib", "first", "first:second")
            }

    def sql(self, statement: str, *parameters: object) -> Any:
        """The first number that a statement gives, if any."""
        with psycopg.connect(self.dsn) as connection:
            cursor = connection.execute(statement.encode(), parameters)
            return cursor.fetchone()[0] if cursor.description else None  # type: ignore[index]  # it gives a row

    def task(self, run: str, stage: str, status: str = "done", **ids: Any) -> int:
        """A task."""
        names = ", ".join(ids)
        data_id = " ".join(f"{key}={entry}" for key, entry in ids.items())
        reason = "'bad'" if status == "failed" else "NULL"
        return int(
            self.sql(
                f"INSERT INTO task (run_id, stage, data_id, status, reason, message, {names}) "
                f"VALUES (%s, %s, %s, %s, {reason}, 'too dark', {', '.join(['%s'] * len(ids))}) RETURNING task_id",
                self.runs[run], stage, data_id, status, *ids.values(),
            )
        )  # fmt: skip

    def place(self, run: str, task: int, dataset: str, **ids: Any) -> Path:
        """The path of a product, entered as its task's."""
        words = {"pointing": 7, "filter": self.filter} | ids
        path = f"rerun/{run}/{product.path(dataset, **words)}"
        names = ", ".join(ids)
        self.sql(
            f"INSERT INTO product (run_id, task_id, dataset, path, n_byte, sha256, {names}) "
            f"VALUES (%s, %s, %s, %s, 0, '-', {', '.join(['%s'] * len(ids))})",
            self.runs[run], task, dataset, path, *ids.values(),
        )  # fmt: skip
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        return self.folder / path

    @property
    def filter(self) -> str:
        """The filter of all visits."""
        return str(self.sql("SELECT min(filter) FROM visit"))

    def detect(self, run: str, visit: int, ccd: int) -> None:
        """calexp and src of a frame."""
        task = self.task(run, "detect", visit=visit, ccd=ccd)
        rows, words = gaussian(2.0, SHAPE).to_table()
        cards = {"FILTER": self.filter, "EXPTIME": 30.0, "EXPID": visit, "FLUXMAG0": 1e12, "FLUXMAG0ERR": 1e9}
        product.write_image(
            self.place(run, task, "calexp", visit=visit, ccd=ccd), trio(visit, ccd), cards,
            [product.Table("PSF", rows, None, words)], wcs_cards(WCS),
        )  # fmt: skip
        found, units, more = table(visit, ccd)
        where = self.place(run, task, "src", visit=visit, ccd=ccd)
        product.write_header(where, cards, [product.Table("SRC", found, units, more)])

    def mosaic(self, run: str, visit: int, ccd: int, tract: int) -> None:
        """wcs and fcr of a frame in a tract."""
        task = self.task(run, "mosaic", tract=tract, filter=f"{self.filter}-{visit}-{ccd}")
        ids = {"visit": visit, "ccd": ccd, "tract": tract}
        product.write_header(self.place(run, task, "wcs", **ids), wcs_cards(WCS))
        cards = {"ORDER": 1, "ABSOLUTE": True, "CHEBYSHEV": False, "NCOEFF": 3, "U_MAX": 1.0, "V_MAX": 1.0,
                 "X0": -25.0, "Y0": 10.0, "C_0_0": 0.0, "C_0_1": 2e-4, "C_1_0": -1e-4, "FLUXMAG0": 1.1e12}  # fmt: skip
        product.write_header(self.place(run, task, "fcr", **ids), cards)

    def master(self, kind: int, name: str, ccd: int) -> None:
        """A master that holds in the first week of 2015."""
        task = self.task("calib", "master", ccd=ccd, filter=f"{name}{ccd}")
        path = f"rerun/calib/{name}-{ccd:03d}.fits"
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        product.write_plane(self.folder / path, np.full(SHAPE, 100.0 * kind + ccd, "f4"))
        self.sql(
            "INSERT INTO master (run_id, task_id, master_kind_id, ccd, filter, calib_date, validity, path, n_input, "
            "mean_level) VALUES (%s, %s, %s, %s, %s, '2015-01-01', '[2015-01-01,2015-01-08)', %s, 5, 0)",
            self.runs["calib"], task, kind, ccd, self.filter if name == "flat" else None, path,
        )  # fmt: skip


@pytest.fixture
def filled(fresh_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Filled:
    """Three visits of four ccds; run first has calexp and src of all but the last, frame 100-1 in tracts 0 and 3."""
    monkeypatch.setenv("HSCDB_DSN", fresh_dsn)
    made = Filled(tmp_path, fresh_dsn)
    for visit, ccd in FRAMES[:-1]:
        made.detect("first", visit, ccd)
    for visit, ccd, tract in ((100, 0, 0), (100, 1, 0), (100, 1, 3)):
        made.mosaic("first", visit, ccd, tract)
    for kind, name in ((1, "bias"), (2, "dark"), (3, "flat")):
        for ccd in range(4):
            made.master(kind, name, ccd)
    return made


@pytest.fixture
def butler(filled: Filled) -> Iterator[Butler]:
    """On run first."""
    with Butler(filled.folder, rerun="first") as opened:
        yield opened


def test_a_repository_is_named_with_its_run_or_by_the_runs_folder(filled: Filled, tmp_path: Path) -> None:
    for words in ((filled.folder, "second"), (f"{filled.folder}/rerun/second", None)):
        with Butler(*words) as butler:
            assert butler.registry.run["name"] == "second"
    with Butler(inputs={"root": str(filled.folder / "rerun" / "first")}, mapperArgs={"calibRoot": "x"}) as butler:
        assert butler.registry.run["name"] == "first"
    with Butler(filled.folder) as butler:
        assert butler.get("bias", visit=100, ccd=2).image.array[0, 0] == 102
        with pytest.raises(ConfigError, match=r"Runs: .*first, second"):
            butler.get("calexp", visit=100, ccd=2)
    with pytest.raises(ConfigError, match="did you mean 'first'"):
        Butler(filled.folder, rerun="frist")
    for wrong in (tmp_path.parent, filled.folder / "elsewhere"):
        with pytest.raises(InputError, match="neither a repository"):
            Butler(wrong)


def test_every_target_of_the_manual_is_given_as_what_scripts_expect(butler: Butler) -> None:
    ids = {"visit": 102, "ccd": 3}
    calexp = butler.get("calexp", ids)
    assert isinstance(calexp, Exposure)
    image, mask, variance = calexp.getMaskedImage().getArrays()
    made = trio(102, 3)
    for ours, theirs in ((image, made.data), (mask, made.mask), (variance, made.variance)):
        np.testing.assert_array_equal(ours, theirs)
    assert calexp.getFilter().getName() == butler.get("calexp_md", ids).get("FILTER").strip()
    assert calexp.getCalib().getFluxMag0() == (1e12, 1e9)
    assert calexp.getWcs().pixelToSky(20.0, 30.0).getRa().asDegrees() == pytest.approx(150.0)
    assert calexp.getInfo().getVisitInfo().getExposureTime() == 30.0
    assert calexp.getDetector().getId() == 3
    for psf in (calexp.getPsf(), butler.get("psf", ids), butler.get("calexp_psf", ids)):
        assert isinstance(psf, Psf)
        assert psf.computeShape().getDeterminantRadius() == pytest.approx(2.0, rel=0.01)
    sources = butler.get("src", ids)
    assert list(sources.get("flux.psf")) == list(sources["base_PsfFlux_instFlux"]) == [1e3, 2e3, 3e3, 4e3, 5e3, 6e3]
    assert [source.get("classification.extendedness") for source in sources] == [0, 1, 0, 1, 0, 1]
    assert butler.get("src_len", ids) == len(sources) == 6
    for number, kind in enumerate(("bias", "dark", "flat"), start=1):
        assert butler.get(kind, ids).getMaskedImage().getImage().getArray()[5, 5] == 100 * number + 3
    assert butler.get("ccdExposureId", ids) == 102 * 200 + 3
    assert len(butler.get("camera")) == 4


def test_wcs_and_fcr_are_headers(butler: Butler) -> None:
    ids = {"visit": 100, "ccd": 0}
    wcs = butler.get("wcs", ids)
    assert wcs.getWcs().getSkyOrigin().getDec().asDegrees() == pytest.approx(2.0)
    with pytest.raises(InputError, match="no pixels"):
        wcs.getMaskedImage()
    # the file does not tell what the tables know
    assert "FILTER" not in wcs.getMetadata()
    assert wcs.getFilter().getName() == butler.get("calexp_filter", ids).getName() != "NONE"
    assert butler.get("fcr_visitInfo", ids).getExposureId() == 100
    assert butler.get("fcr_visitInfo", ids).getExposureTime() == 30.0
    correction = FluxFitParams(butler.get("fcr_md", ids))
    assert correction.eval(5.0, 7.0) == pytest.approx(-1e-4 * -20.0 + 2e-4 * 17.0)
    x = np.array([5.0, 25.0])
    np.testing.assert_allclose(correction.eval(x, x - 1), -1e-4 * (x - 25) + 2e-4 * (x + 9))


def test_a_part_of_an_image_is_that_part(butler: Butler) -> None:
    ids, box = {"visit": 100, "ccd": 1}, Box2I(Point2I(7, 11), Extent2I(20, 5))
    part = butler.get("calexp_sub", ids, bbox=box)
    whole = butler.get("calexp", ids)
    for name in ("image", "mask", "variance"):
        expected = getattr(whole, name).array[11:16, 7:27]
        np.testing.assert_array_equal(getattr(part, name).array, expected)
        np.testing.assert_array_equal(getattr(whole[box], name).array, expected)
    assert part.getXY0() == Point2I(7, 11)
    assert part.getBBox() == box
    with pytest.raises(InputError, match="do not lie in its 50 x 40 pixels"):
        butler.get("calexp_sub", ids, bbox=Box2I(Point2I(40, 0), Extent2I(20, 5))).image.getArray()
    with pytest.raises(ConfigError, match="needs bbox"):
        butler.get("calexp_sub", ids)


def test_a_data_id_is_completed_from_the_tables(butler: Butler) -> None:
    assert butler.get("src_filename", visit="104", detector=2) == butler.get("src_filename", {"visit": 104, "ccd": 2})
    assert butler.get("src_len", {"visit": 104, "ccd": 9}, ccd=2, tract=0, patch="1,1") == 6
    reference = getDataRef(butler, {"visit": 104, "ccd": 2, "field": "FIELD", "tract": 5})
    assert reference.dataId["dateObs"] == "2015-01-01"
    assert (reference.dataId["pointing"], reference.dataId["expTime"], reference.dataId["tract"]) == (7, 30.0, 5)
    assert reference.get("src_len") == 6
    for ids, said in (
        ({"ccd": 1}, r"3 files have ccd=1 \(visit 100, 102, 104\)"),
        ({"visit": 100}, r"4 files have visit=100 \(ccd 0, 1, 2, 3\)"),
        ({"field": "FIELD", "ccd": 1}, "3 frames have field=FIELD ccd=1"),
        ({"vist": 100}, "did you mean 'visit'"),
        ({"visit": "x", "ccd": 1}, "visit='x' is not a whole number"),
    ):
        with pytest.raises(ConfigError, match=said):
            butler.get("calexp", ids)


def test_the_only_tract_need_not_be_said(butler: Butler) -> None:
    assert butler.get("wcs_filename", visit=100, ccd=0)[0].endswith("corr/0000/wcs-0000100-000.fits")
    assert butler.get("wcs_filename", visit=100, ccd=1, tract=3)[0].endswith("corr/0003/wcs-0000100-001.fits")
    with pytest.raises(ConfigError, match=r"2 files have visit=100 ccd=1 \(tract 0, 3\)"):
        butler.get("wcs", visit=100, ccd=1)
    with pytest.raises(NoResults, match=r"has it in tract 0, 3\."):
        butler.get("fcr", visit=100, ccd=1, tract=2)


def test_what_is_missing_is_told_with_what_there_is(filled: Filled, butler: Butler) -> None:
    filled.task("first", "isr", "failed", visit=104, ccd=3)
    gone = Path(butler.getUri("calexp", visit=102, ccd=0))
    gone.unlink()
    filled.sql("UPDATE product SET swept_at = now() WHERE dataset = 'src' AND visit = 102 AND ccd = 1 RETURNING 1")
    for target, visit, ccd, said in (
        ("calexp", 104, 3, "stage isr failed for this frame: too dark"),
        ("calexp", 102, 0, "is gone. Do stage detect again"),
        ("src", 102, 1, "was removed when it was used"),
        ("postISRCCD", 100, 0, "isr.keep_image=true"),
        ("calibrated_exp", 100, 0, "run first has calexp, fcr, src, wcs of this frame. Stage apply makes it."),
        ("calexp", 100, 7, r"Visit 100 \(.*\) has ccds 0, 1, 2, 3\."),
        ("calexp", 101, 0, r"Visits: 3 science .* \(100\.\.104\)"),
        ("fringe", 100, 0, "no master for the night 2015-01-01; there is none of this ccd"),
        ("deepCoadd_skyMap", 100, 0, "no tracts yet"),
    ):
        with pytest.raises(NoResults, match=said):
            butler.get(target, visit=visit, ccd=ccd)
        assert not butler.datasetExists(target, visit=visit, ccd=ccd)
    filled.sql("UPDATE visit SET night = '2015-02-01' WHERE visit = 104 RETURNING 1")
    with pytest.raises(NoResults, match=r"the nearest holds 2015-01-01\.\.2015-01-07"):
        butler.get("flat", visit=104, ccd=0)
    with pytest.raises(ConfigError, match="did you mean calexp"):
        butler.get("calxep", visit=104, ccd=0)
    for target, said in (
        ("deepCoadd_calexp", "coadds are not made .* display REPO --id tract=T patch=X,Y"),
        ("srcMatch_md", "rows of table source_ref"),
        ("processCcd_config", "hscdb rerun show"),
        ("src_sub", r"src is of type SourceCatalog, which has no _sub\. There is src, src_schema, src_len\."),
        ("bias_len", "bias is of type Exposure, which has no _len"),
        ("psf_wcs", "psf is of type Psf, which has no _wcs"),
    ):
        with pytest.raises(ConfigError, match=said):
            butler.get(target, visit=100, ccd=0, bbox=Box2I(Point2I(0, 0), Extent2I(2, 2)))
    assert not {"srcMatch", "calexpBackground"} & set(butler.getDatasetTypes())
    with pytest.raises(NoResults, match=r"has calexp, fcr, src, wcs of this frame\. Command jointcal\.py makes it"):
        butler.get("jointcal_wcs", visit=100, ccd=0)
    with pytest.raises(NoResults, match=r"no master for the night .* `hscdb master REPO defects --id`"):
        butler.get("defects", visit=100, ccd=0)
    with pytest.raises(ConfigError, match="written by stages alone"):
        butler.put(None, "calexp", {})


def test_a_run_whose_masters_were_used_is_not_deleted(filled: Filled) -> None:
    task = filled.task("first", "isr", visit=100, ccd=0)
    master = filled.sql("SELECT max(master_id) FROM master")
    filled.sql(
        "INSERT INTO frame_isr (run_id, task_id, visit, ccd, overscan_adu, read_noise_e, gain_e_per_adu, "
        "flat_master_id, n_saturated, n_bad, n_no_data) "
        "VALUES (%s, %s, 100, 0, '{}', '{}', '{}', %s, 0, 0, 0) RETURNING 1",
        filled.runs["first"], task, master,
    )  # fmt: skip
    with Repository.open(filled.folder, filled.dsn) as repository:
        with pytest.raises(ConfigError, match=r"run calib: its masters were used in first \(1 frames\)\. Delete those"):
            delete_run(repository, "calib")
        filled.sql("DELETE FROM frame_isr RETURNING 1")
        assert delete_run(repository, "calib") == 0  # its masters were entered without products
    with Butler(filled.folder, rerun="first") as butler, pytest.raises(NoResults, match="no master for the night"):
        butler.get("flat", visit=100, ccd=0)


def test_pictures_of_several_visits_leave_out_those_that_are_not_there(
    filled: Filled, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled.sql("UPDATE visit SET data_type = 'flat' WHERE visit = 102 RETURNING 1")
    words = ["display", str(filled.folder), "--rerun", "first", "--id", "ccd=3", "--png", str(tmp_path / "v.png")]
    assert main(words) == 0
    said = capsys.readouterr()
    # 102 is a flat now, of which no calexp is asked for; 104 has none
    assert said.out.split() == [str(tmp_path / "v-100.png")]
    assert "calexp visit=104 ccd=3: run first has nothing of this frame" in said.err
    assert (tmp_path / "v-100.png").stat().st_size > 1000
    assert main([*words[:5], "visit=104", "ccd=3", *words[6:]]) == 1
    assert "run first has nothing of this frame. Stage detect makes it." in capsys.readouterr().err


def test_a_run_sees_what_it_builds_on_and_its_own_first(filled: Filled) -> None:
    filled.detect("second", 100, 0)
    with Butler(filled.folder, rerun="second") as butler:
        assert "/rerun/second/" in butler.getUri("calexp", visit=100, ccd=0)
        assert "/rerun/first/" in butler.getUri("calexp", visit=100, ccd=1)
    with Butler(filled.folder, rerun="first") as butler:
        assert "/rerun/first/" in butler.getUri("calexp", visit=100, ccd=0)


def test_sources_are_read_without_pixels_and_pixels_when_they_are_touched(filled: Filled, butler: Butler) -> None:
    ids = {"visit": 100, "ccd": 2}
    path = Path(butler.getUri("calexp", ids))
    lazy, replaced = butler.get("calexp", ids), butler.get("calexp", ids)
    assert replaced.image.array.shape == SHAPE
    path.write_bytes(path.read_bytes() + b"\0" * 2880)
    assert lazy.getDimensions() == Extent2I(50, 40)
    with pytest.raises(DataError, match="written anew since it was opened"):
        lazy.getMaskedImage().getMask().getArray()
    np.testing.assert_array_equal(replaced.image.array, trio(100, 2).data)
    path.unlink()
    assert len(butler.get("src", ids)) == 6


def test_subsets_and_queries_are_answered_from_the_tables(filled: Filled, butler: Butler) -> None:
    assert butler.queryMetadata("calexp", "visit", ccd=1) == [100, 102, 104]
    assert butler.queryMetadata("calexp", ["visit", "ccd"], {"visit": [100, 104], "ccd": 1}) == [(100, 1), (104, 1)]
    assert butler.queryMetadata("wcs", ("ccd", "tract"), visit=100) == [(0, 0), (1, 0), (1, 3)]
    assert butler.queryMetadata("raw", None, ["field"], {"visit": 100}) == [("FIELD",)]
    with pytest.raises(ConfigError, match="no key 'tract' in src"):
        butler.queryMetadata("src", "tract")
    subset = butler.subset("src", visit=104)
    assert [(each.dataId["visit"], each.dataId["ccd"]) for each in subset] == FRAMES[-4:]
    assert [each.datasetExists() for each in subset] == [True, True, True, False]
    assert [each.dataId["tract"] for each in butler.subset("fcr", tract=3)] == [3]
    assert list(butler.getKeys("wcs")) == [*butler.getKeys("src"), "tract"]
    filled.sql("UPDATE visit SET data_type = 'bias' WHERE visit = 102 RETURNING 1")
    assert (len(butler.subset("calexp")), len(butler.subset("raw"))) == (8, 12)


def test_later_butlers_words_are_understood(filled: Filled) -> None:
    with Butler(filled.folder, collections=["second", "first"]) as butler:
        assert "second" in butler.registry.queryCollections()
        found = butler.registry.queryDatasets("wcs", visit=100)
        assert [each.dataId["tract"] for each in found] == [0, 0, 3]
        assert all(Path(each.path).is_file() for each in found)
        (one,) = butler.registry.queryDatasets("calexp", exposure=102, detector=2)
        assert butler.get("calexp.wcs", one.dataId, instrument="toy").getSkyOrigin().getRa().asDegrees() == 150.0
        with pytest.raises(ConfigError, match="not made by a run"):
            butler.registry.queryDatasets("raw")


def test_the_header_of_a_raw_frame_comes_from_the_tables(filled: Filled, butler: Butler) -> None:
    header = {"OBJECT": ["M31", "target"], "COMMENT": [["one", ""], ["two", ""]], "EXPTIME": [30.0, ""]}
    filled.sql("INSERT INTO frame_header VALUES (100, 0, %s) RETURNING 1", Jsonb(header))
    found = butler.get("raw_md", visit=100, ccd=0)
    assert (found.get("OBJECT"), found.getAsDouble("EXPTIME"), found.get("COMMENT")) == ("M31", 30.0, "one")
    with pytest.raises(NoResults, match="is gone"):
        butler.get("raw", visit=100, ccd=0)
