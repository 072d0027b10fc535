"""What the command line alone says: English and Chinese side by side."""

from __future__ import annotations

from ..messages import Template, Vocabulary


class Says(Vocabulary, package="cli"):
    no_image_in_folder = Template("There is no image in this folder.", "该文件夹中没有图片。")
    check_image_path = Template("Check --image_path.", "请检查 --image_path。")
    no_image_usable = Template("No image could be used; see the rejects above.", "没有可用的图片；请看上面列出的原因。")
    marks_once = Template("The marks {begin} and {end} must stand there once.", "标记 {begin} 和 {end} 须各出现一次。")

    # ---- runs
    runs_lower_better = Template("{metric}, lower is better, {choice}", "{metric}，越低越好，{choice}")
    runs_higher_better = Template("{metric}, higher is better, {choice}", "{metric}，越高越好，{choice}")
    runs_chosen_by = Template("checkpoint chosen by {metric}", "检查点由 {metric} 选出")
    runs_logged_once = Template("logged once for each run", "每次训练记录一次")
    runs_at_last = Template("at the last step", "取最后一步")
    runs_at_step = Template("at step {step:,}", "取第 {step:,} 步")
    runs_note = Template("Note: {note}.", "说明：{note}。")
    runs_note_of = Template("Note: {run}: {note}.", "说明：{run}：{note}。")
    runs_excluded = Template("Not counted, or not fully ({count}):", "未计入或未完全计入（{count}）：")
    runs_none = Template("No runs here.", "这里没有训练记录。")
    runs_also_differ = Template("Also different: {names}", "另有差异：{names}")
    runs_not_read = Template("Not read: {path}: {reason}", "未读取：{path}：{reason}")
    runs_packed = Template(
        "{runs:,} runs, {files:,} files, {size:,} bytes: {path}",
        "{runs:,} 次训练、{files:,} 个文件、{size:,} 字节：{path}",
    )
    runs_unpacked = Template("{files:,} files: {path}", "{files:,} 个文件：{path}")
    runs_left_out = Template("Left out: {names}.", "未包含：{names}。")
