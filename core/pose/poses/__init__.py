"""A CSV of poses in; each row's caption, and its embedding, out. Streams: a million rows never lie in memory together.

    path ─open_poses─▶ columns, delimiter, rows ─blocks of 8,192─▶ angles, problems ─captions─▶ (units) ─▶ writer

    reading.py  the file's columns and its rows, block by block
    job.py      `convert`: the whole way
    writing.py  one writer a format

In: a header that names `yaw`, `pitch`, `roll` (in any order, `yaw_deg` and `Yaw (deg)` too) among other columns, or no
header and three columns or more, of which the first three are taken. Comma, semicolon or tab; UTF-8.

Out, row for row in the order of the file (a row that cannot be used stays, with its problem instead of a caption), by
suffix:

| suffix | what lies in it |
| --- | --- |
| `.csv` | the file's own columns, `yaw_deg pitch_deg roll_deg` (wrapped), `caption`, `problem`, `v0` … `v{D-1}` |
| `.parquet` | the same, the vector in one column `vector` (fixed-size list of float32) |
| `.npz` | once for each distinct caption `captions`, `vectors`; for each row `caption_row` (−1: none), `angles_deg` |

`.npz` is the smallest by far: discrete text has 45 captions at most. Its `problems` name the lines. An own column whose
name is one of ours gets `_given` behind it. In `.csv`, a text of the file's own that a spreadsheet would run as a
formula has a `'` before it; numbers stay as they are.
"""

from .job import PosesResult, convert
from .reading import PosesFile, open_poses, read_blocks
from .writing import SUFFIXES

__all__ = ["SUFFIXES", "PosesFile", "PosesResult", "convert", "open_poses", "read_blocks"]
