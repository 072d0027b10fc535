"""Settings: one frozen value, handed in. Nothing here reads the environment or the disk at import."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

REPO_DIR = Path(__file__).resolve().parent.parent
COMMAND = f"python -m {__package__}"
"""How the command line is called, for messages: the wheel installs this package as `clip_workbench`."""

# In the repository weights and runs lie beside the code. An installed package writes nothing among other packages.
_HOME = REPO_DIR if __package__ == "core" else Path("~/.clip-workbench")


@dataclass(frozen=True)
class ImageLimits:
    """Bounds checked before an image is decoded.

    Attributes:
        max_pixels: width × height; an RGB image of this many pixels takes three times as many bytes.
        max_file_bytes: length of one encoded file.
    """

    max_pixels: int = 100_000_000
    max_file_bytes: int = 256 * 2**20


@dataclass(frozen=True)
class Settings:
    """What the library, the command line and the app are told.

    Attributes:
        weights_dir: where weights are looked up and downloaded to; a leading `~` is the user's home.
        runs_dir: root of the training runs that the Runs tab lists; likewise.
        device: default device, `auto | cpu | gpu | cuda:N | mps`.
        dtype: default dtype, `auto | fp32 | bf16 | fp16`.
        cpu_budget_bytes: memory all models on the CPU may take together; None: half of the machine's.
        gpu_budget_fraction: part of each GPU's memory that models may take.
        idle_unload_s: a model unused for this long is unloaded; 0 keeps it.
        limits: image limits for local use; the app uses `web_limits`.
        web_limits: tighter limits for uploads by strangers.
        results_dir: results of experiments that came with the project, a folder each.
    """

    weights_dir: Path = _HOME / "weights"
    runs_dir: Path = _HOME / "runs"
    device: str = "auto"
    dtype: str = "auto"
    cpu_budget_bytes: int | None = None
    gpu_budget_fraction: float = 0.85
    idle_unload_s: float = 900.0
    limits: ImageLimits = ImageLimits()
    web_limits: ImageLimits = ImageLimits(max_pixels=40_000_000, max_file_bytes=32 * 2**20)
    results_dir: Path = _HOME / "experiments" / "results"

    def __post_init__(self) -> None:
        for name in ("weights_dir", "runs_dir", "results_dir"):
            object.__setattr__(self, name, getattr(self, name).expanduser())
