"""Which color term leads from a reference catalog to a filter of the camera."""

from fnmatch import fnmatchcase

from hscdb.camera.model import Camera, ColorTerm


def find_term(camera: Camera, catalog: str, filter: str, color_term_set: str = "") -> ColorTerm | None:
    """The color term for a filter and a reference catalog, by the glob on the catalog's name; None if there is none.

    color_term_set : generation of color terms; by default the camera's own. Of several globs the longest, which is the
    most special, holds.
    """
    wanted = color_term_set or camera.color_term_set
    fitting = [
        term
        for term in camera.color_terms
        if term.filter == filter
        and (not wanted or term.color_term_set == wanted)
        and fnmatchcase(catalog.lower(), term.refcat_glob.lower())
    ]
    return max(fitting, key=lambda term: len(term.refcat_glob), default=None)


def color_term(camera: Camera, catalog: str, filter: str, color_term_set: str = "") -> ColorTerm:
    """As `find_term`; where there is none, the filter's reference band (or its band) as it is: c0 = c1 = c2 = 0."""
    term = find_term(camera, catalog, filter, color_term_set)
    if term is not None:
        return term
    one = next((f for f in camera.filters if f.filter == filter or filter in f.aliases), None)
    band = (one.ref_band or one.band) if one is not None else filter
    return ColorTerm(color_term_set or camera.color_term_set, catalog, filter, band, band, 0.0, 0.0, 0.0)
