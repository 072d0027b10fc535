"""How long explaining takes: `python -m bench.bench_foreground`. Prints a markdown table; needs no weights."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

from core.foreground.annotations import from_boxes
from core.foreground.explain import explain, shapley
from core.foreground.prompts import PromptSet
from core.foreground.scoring import score

ROUNDS = 21
N_BOXES = 100


def cosines_of(n_boxes: int, spread: float, seed: int = 0) -> np.ndarray:
    """Similarities as CLIP has them: around 0.2, the largest and smallest of a row about `spread` apart."""
    return 0.2 + np.random.default_rng(seed).normal(0, spread / 5, (n_boxes, len(PromptSet().texts)))


def measured_ms(work: Callable[[], object]) -> tuple[float, float, float]:
    """Median and least wall time and median processor time of several rounds, after one that does not count.

    Processor time adds up all threads and hardly depends on what else the machine is doing.
    """
    work()
    wall, cpu = [], []
    for _ in range(ROUNDS):
        begin, begin_cpu = time.perf_counter(), time.process_time()
        work()
        wall.append(1000 * (time.perf_counter() - begin))
        cpu.append(1000 * (time.process_time() - begin_cpu))
    return statistics.median(wall), min(wall), statistics.median(cpu)


def rows() -> list[tuple[str, float, float, float, str]]:
    prompts = PromptSet()
    assert len(prompts.texts) == 100, "87 positive and 13 negative prompts"
    is_positive = np.array([group == "positive" for group in prompts.groups])
    made = []
    for spread, words in (
        (0.15, "as of photos (15 nats apart)"),
        (0.3, "far apart (30 nats)"),
        (2.0, "extreme (200 nats)"),
    ):
        scores = score(cosines_of(N_BOXES, spread), 100.0, prompts)
        reference = shapley(scores.logits_BK[:10], is_positive, accurate=True)
        error = np.abs(shapley(scores.logits_BK[:10], is_positive) - reference).max()
        what = f"explain {N_BOXES} boxes × 100 prompts, similarities {words}"
        made.append((what, *measured_ms(lambda s=scores: explain(s)), f"{error:.0e}"))
    cosines = cosines_of(N_BOXES, 0.15)
    made.append((f"score {N_BOXES} boxes again, all fields", *measured_ms(lambda: _fields(cosines, prompts)), ""))
    boxes = [(i % 900, i % 500, i % 900 + 40, i % 500 + 40) for i in range(5000)]
    made.append(("read 5,000 boxes", *measured_ms(lambda: from_boxes(boxes, (600, 1000))), ""))
    return made


def _fields(cosines: np.ndarray, prompts: PromptSet) -> list[dict[str, object]]:
    scores = score(cosines, 100.0, prompts)
    return [scores.fields(row) for row in range(len(cosines))]


def main() -> None:
    print("| what | median ms | least ms | processor ms | largest error of a share |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for what, median, least, cpu, error in rows():
        print(f"| {what} | {median:.1f} | {least:.1f} | {cpu:.1f} | {error} |")


if __name__ == "__main__":
    main()
