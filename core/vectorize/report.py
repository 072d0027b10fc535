"""What a run did, for a person and for a program. numpy only."""

from __future__ import annotations

from typing import Any

from ..types import VectorTable

REJECTS_SHOWN = 20  # to a person; a folder of 20,000 would bury the rest of the report


def report(table: VectorTable, row: int = 0) -> dict[str, Any]:
    """The report as plain JSON values.

    Args:
        table: a result of `vectorize`.
        row: the image that is described in detail; ignored where the table has no rows.

    Returns:
        `models` (each one's id, dimension, columns, load seconds, device, dtype, seconds of encoding), `dim`,
        `relative_compute` (1.0 for one model), `normalized`, `images`, `seconds`, `images_per_s`, `image` (of `row`:
        id, time, shape, first ten values, mean, standard deviation, norm; None without rows), `rejects`, `notices`.
    """
    return {
        "models": [
            {
                "id": member.model_id,
                "dim": member.dim,
                "columns": [member.start, member.stop],
                "load_s": round(member.load_s, 4),
                "device": member.device,
                "dtype": member.dtype,
                "encode_s": round(member.encode_s, 4),
            }
            for member in table.members
        ],
        "dim": table.dim,
        "relative_compute": round(table.relative_compute, 3),
        "normalized": bool(table.passport.get("normalize")),
        "images": len(table.ids),
        "seconds": round(table.seconds, 4),
        "images_per_s": round(len(table.ids) / table.seconds, 2) if table.seconds else None,
        "image": _image(table, row) if table.ids else None,
        "rejects": [{"id": reject.id, "code": reject.code, "reason": reject.reason} for reject in table.rejects],
        "notices": [{"code": notice.code, "text": notice.text} for notice in table.notices],
    }


def report_text(table: VectorTable, row: int = 0) -> str:
    """The report in plain lines, without a trailing line end."""
    facts = report(table, row)
    rejects, notices = facts["rejects"], facts["notices"]
    lines = ["Models"]
    width = max(len(model["id"]) for model in facts["models"])
    for model in facts["models"]:
        loaded = f"loaded in {model['load_s']:.2f} s" if model["load_s"] else "was loaded"
        place = f"{model['device']}, {model['dtype']}"
        lines.append(f"  {model['id']:<{width}}  dimension {model['dim']:>5}  {loaded}  on {place}")
    how = ", each member L2-normalised" if facts["normalized"] else ""
    lines.append(f"Total dimension     {facts['dim']}{how}")
    lines.append(f"Relative compute    {facts['relative_compute']:.2f}×")
    rate = f", {facts['images_per_s']:.1f} images/s" if facts["images_per_s"] else ""
    lines.append(
        f"Images              {facts['images']} vectors, {len(rejects)} rejects, {facts['seconds']:.2f} s{rate}"
    )
    image = facts["image"]
    if image is not None:
        first = " ".join(f"{value:.4f}" for value in image["first_ten"])
        took = f"{image['ms']:.1f} ms" if image["ms"] is not None else "not recorded"
        lines += [
            "",
            f"Image               {one_line(image['id'])}",
            f"  processing time   {took}",
            f"  shape             {tuple(image['shape'])}",
            f"  first ten         {first}",
            f"  mean              {image['mean']:.6f}",
            f"  std               {image['std']:.6f}",
        ]
    if rejects:
        lines += ["", f"Rejects ({len(rejects)})"]
        shown = rejects[:REJECTS_SHOWN]
        lines += [f"  {one_line(part['id'])}: {one_line(part['reason'])} [{part['code']}]" for part in shown]
        if len(rejects) > len(shown):
            lines.append(f"  … and {len(rejects) - len(shown)} more; --json names all")
    if notices:
        lines += ["", "Notices", *(f"  {one_line(part['text'])}" for part in notices)]
    return "\n".join(lines)


def one_line(text: str) -> str:
    """Text that may come from a file name, without line ends and control codes that a terminal would obey."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _image(table: VectorTable, row: int) -> dict[str, Any]:
    vector_D = table.vectors_ND[row].astype("float64")
    return {
        "id": table.ids[row],
        "ms": None if table.ms_N is None else round(float(table.ms_N[row]), 3),
        "shape": [table.dim],
        "first_ten": [round(float(value), 6) for value in vector_D[:10]],
        "mean": float(vector_D.mean()),
        "std": float(vector_D.std()),
        "norm": float((vector_D**2).sum() ** 0.5),
    }
