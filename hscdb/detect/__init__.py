"""detect: from a clean image to its sources: background, PSF, cosmic rays, footprints, measurement."""
