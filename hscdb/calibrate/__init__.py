"""calibrate: the first world coordinates and zero point of each frame."""
