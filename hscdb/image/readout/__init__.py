"""Ground: what the readout of a CCD does to its pixels, and how that is undone. Shared by isr and master."""
