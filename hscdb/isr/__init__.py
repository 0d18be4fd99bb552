"""Stage isr: raw frame -> clean image in electrons."""
