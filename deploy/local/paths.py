"""The root of this checkout, and the folder for everything that it builds or downloads."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"
