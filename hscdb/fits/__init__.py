"""Door: FITS files in and out."""
