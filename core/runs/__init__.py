"""Training runs: recorded, read, judged.

    written   record.py: what a training writes; environment.py, process.py: where, and is it alive?
    found     discover.py: runs under a root, which is a tree: trees.py, a folder, or pack.py, many runs in one file
              upload.py: a stranger's logs, laid out to be found
    read      read.py: all of them, again and again; growing.py: one log; formats/: one file a log format
              restarts.py: was a training taken up again? hparams.py: what `add_hparams` leaves beside a run
              series.py: what a run is; assemble.py: from files to a Run
              cache.py: long logs as Arrow files; parsing.py, arrow.py: what these share
    judged    compare.py: from runs to a verdict; checkpoint.py: which number represents a run
              directions.py: is lower or higher better? duplicates.py: which of several runs counts
              statistics.py: the arithmetic; report.py: what a comparison says; conventions.py: what was agreed on
    drawn     bands.py: the mean of several runs, with a band; downsample.py: curves for the screen

Nothing here imports torch.
"""

from .bands import Band, band
from .cache import default_cache_dir
from .compare import compare
from .conventions import Conventions, Question, conventions_for, known_conventions
from .discover import RunFolder, list_folders, resolve_folder
from .downsample import downsample, downsample_around
from .pack import pack_runs, unpack_runs
from .parsing import UPLOAD_LIMITS, ReadLimits
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
