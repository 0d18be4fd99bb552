"""Ground: images, masks and the arithmetic on them."""
