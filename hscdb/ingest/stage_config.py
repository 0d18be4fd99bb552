"""Settings of ingest, apart from what it imports: a run keeps those of all stages."""

from dataclasses import dataclass

from hscdb.fits.intake import MODES
from hscdb.run.config import setting


@dataclass(frozen=True)
class Config:
    mode: str = setting("link", "how files get into the repository", was="mode", choices=MODES)
