"""The main path from Python: a store, a run, embeddings of every window.

Run: python examples/train_and_embed.py [FOLDER]
"""

import sys
import tempfile
from pathlib import Path

import pyarrow.parquet as pq

import bandpass
from bandpass.data.sources import SOURCES

folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())

# Raw series become a store once; `plant` generates its own, any other source reads a folder.
store = bandpass.prepare(SOURCES["plant"], folder, folder / "store", series=2, rows=3000)

# A recipe is a frozen value; a run directory holds everything that came of it, and the same call
# continues a run that was stopped.
recipe = bandpass.override(bandpass.find("series-tiny"), ["steps=60", "batch=16"])
bandpass.train(recipe, store, folder / "run", with_control=False)

rows = bandpass.embed(folder / "run", store, folder / "windows.parquet")
table = pq.read_table(folder / "windows.parquet")
print(f"{rows} windows, columns {table.column_names}")
first = table.slice(0, 1).to_pylist()[0]
print(f"{first['series']} from row {first['start']}: {len(first['embedding'])} numbers")
