"""Training runs: recorded, read, judged.

    record.py      what a training writes                        statistics.py  the arithmetic
    discover.py    finds runs under a root                       compare.py     from runs to a verdict
    read.py        reads them, incrementally (growing.py)        downsample.py  curves for the screen
    tables.py      JSONL and CSV     events.py   TensorBoard     upload.py      a stranger's logs
    trackio.py     SQLite            cache.py    Arrow files (arrow.py)
    series.py      what a run is     process.py  is it alive?

Nothing here imports torch.
"""

from core.runs.cache import default_cache_dir
from core.runs.compare import Band, Comparison, Report, band, compare
from core.runs.discover import UPLOAD_LIMITS, ReadLimits, RunFolder, list_folders, resolve_folder
from core.runs.downsample import downsample
from core.runs.read import RunReader, read_runs
from core.runs.record import RunRecorder
from core.runs.series import Problem, Run, RunSet, Series, config_differences, config_text
from core.runs.upload import UploadLimits, stage_upload

__all__ = [
    "UPLOAD_LIMITS",
    "Band",
    "Comparison",
    "Problem",
    "ReadLimits",
    "Report",
    "Run",
    "RunFolder",
    "RunReader",
    "RunRecorder",
    "RunSet",
    "Series",
    "UploadLimits",
    "band",
    "compare",
    "config_differences",
    "config_text",
    "default_cache_dir",
    "downsample",
    "list_folders",
    "read_runs",
    "resolve_folder",
    "stage_upload",
]
