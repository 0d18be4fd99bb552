"""Stage master: raw calibration frames -> masters with the nights for which they hold."""
