"""Stage apply: the joint solution put onto images and catalogs."""
