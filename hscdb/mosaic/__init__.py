"""Stage mosaic: the joint solution of a tract and filter (positions and fluxes of all its visits at once)."""
