"""Stage qa: numbers that judge the results, then pictures of them."""
