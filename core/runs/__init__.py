"""Training runs: recorded, read, judged.

    record.py      what a training writes                        compare.py     from runs to a verdict
    discover.py    finds runs under a root                       checkpoint.py  which number represents a run
    read.py        reads them, incrementally (growing.py)        statistics.py  the arithmetic
    tables.py      JSONL and CSV     events.py   TensorBoard     report.py      what a comparison says
    trackio.py     SQLite            cache.py    Arrow files     bands.py       the mean of several runs, with a band
    upload.py      a stranger's logs (arrow.py: their buffers)   downsample.py  curves for the screen
    series.py      what a run is     process.py  is it alive?

Nothing here imports torch.
"""

from .bands import Band, band
from .cache import default_cache_dir
from .compare import compare
from .discover import UPLOAD_LIMITS, ReadLimits, RunFolder, list_folders, resolve_folder
from .downsample import downsample, downsample_around
from .read import RunReader, read_runs
from .record import RunRecorder
from .report import Comparison, Report
from .series import Problem, Run, RunSet, Series, config_differences, config_text
from .upload import UploadLimits, stage_upload

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
    "downsample_around",
    "list_folders",
    "read_runs",
    "resolve_folder",
    "stage_upload",
]
