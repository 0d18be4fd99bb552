"""The sky: directions, tangent planes, world coordinates, pixel numbers and tracts."""
