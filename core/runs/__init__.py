"""Training runs: recorded, read, judged.

    record.py      what a training writes                  formats/        one file a log format, registered
    discover.py    finds runs under a root                 compare.py      from runs to a verdict
    read.py        reads them, incrementally (growing.py)  checkpoint.py   which number represents a run
    assemble.py    from files to a Run                     statistics.py   the arithmetic
    trees.py       a folder or a pack                      report.py       what a comparison says
    upload.py      a stranger's logs (archives.py)         conventions.py  what an experiment has agreed on
    series.py      what a run is                           bands.py        the mean of several runs, with a band
    cache.py       Arrow files (arrow.py: their buffers)   downsample.py   curves for the screen
    packing.py     many runs in one file                   process.py      is it alive?

Nothing here imports torch.
"""

from .bands import Band, band
from .cache import default_cache_dir
from .compare import compare
from .conventions import Conventions, Question, conventions_for, known_conventions
from .discover import RunFolder, list_folders, resolve_folder
from .downsample import downsample, downsample_around
from .limits import UPLOAD_LIMITS, ReadLimits
from .packing import pack_runs, unpack_runs
from .read import RunReader, read_runs
from .record import RunRecorder
from .report import ArmComparison, Report
from .series import Problem, Run, RunSet, Series, config_differences, config_text
from .upload import UploadLimits, stage_upload

__all__ = [
    "UPLOAD_LIMITS",
    "ArmComparison",
    "Band",
    "Conventions",
    "Problem",
    "Question",
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
    "conventions_for",
    "default_cache_dir",
    "downsample",
    "downsample_around",
    "known_conventions",
    "list_folders",
    "pack_runs",
    "read_runs",
    "resolve_folder",
    "stage_upload",
    "unpack_runs",
]
