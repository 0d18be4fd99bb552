"""hscdb: data reduction for wide-field mosaic cameras with PostgreSQL at its heart."""

__version__ = "0.1.0"
