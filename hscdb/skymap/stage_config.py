"""Settings of skymap, apart from what it imports: a run keeps those of all stages."""

from dataclasses import dataclass

from hscdb.run.config import setting


@dataclass(frozen=True)
class Config:
    """Settings of the skymap stage."""

    pixel_scale_arcsec: float | None = setting(
        None, "pixel scale of tracts; None is the camera's", unit="arcsec/pix", was="pixelScale"
    )
    patch_inner_pix: int = setting(4000, "side of a patch without border", unit="pix", was="patchInnerDimensions")
    patch_border_pix: int = setting(100, "border around a patch", unit="pix", was="patchBorder")
    tract_overlap_deg: float = setting(0.0, "overlap added around a discrete tract", unit="deg", was="tractOverlap")
    border_deg: float = setting(0.0, "added to the radius of a discrete tract", unit="deg", was="borderSize")
    rings_name: str = setting("hsc_rings_v1", "name of the rings map; one name has one geometry")
    rings_version: int = setting(1, "numbering of the rings map", choices=(0, 1))
    rings_overlap_deg: float = setting(1.0 / 60.0, "overlap of the tracts of a rings map", unit="deg")
    n_ring: int = setting(120, "rings of a rings map", was="numRings")
    ra_start_deg: float = setting(0.0, "right ascension of each ring's first tract", unit="deg", was="raStart")
