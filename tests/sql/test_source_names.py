"""column_doc knows the columns of source by hscPipe's names, and they are those that the src files have."""

from hscdb.detect import catalog


def test_the_names_in_column_doc_are_those_of_the_src_file(connection):
    rows = connection.exec_driver_sql(
        "SELECT column_name, hscpipe_name, hscpipe_old_name, meaning FROM column_doc WHERE table_name = 'source'"
    ).all()
    known = {row.hscpipe_name: row.column_name for row in rows if row.hscpipe_name}
    columns = {name: ours for name, (ours, _) in catalog.SRC_COLUMNS.items() if ours and not name.startswith("hscdb_")}
    for radius in catalog.RADII:
        word = catalog.aperture_name(radius)
        columns[f"base_CircularApertureFlux_{word}_instFlux"] = f"aper_{word}_flux_e"
        columns[f"base_CircularApertureFlux_{word}_instFluxErr"] = f"aper_{word}_flux_e_err"
    assert known == columns | {"flags": "flags"}
    old = {row.column_name: row.hscpipe_old_name for row in rows}
    assert old["psf_flux_e"] == "flux.psf"
    assert old["aper_12_0_flux_e_err"] == "flux.aperture.err"
    assert old["blendedness"] is None
    assert old["spread"] is None
    assert not any("hscPipe" in row.meaning for row in rows)
    assert next(row.meaning for row in rows if row.column_name == "psf_flux_e") == "PSF flux, aperture-corrected"
