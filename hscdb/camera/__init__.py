"""Ground: cameras as data (folders with camera.toml and tables) and their geometry."""
