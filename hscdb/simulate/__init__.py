"""Simulated raw frames, calibration frames, reference catalogs and their truth."""
