"""skymap: tracts and patches, and the frames that lie on them."""
