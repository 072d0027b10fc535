"""What `core.vectorize` says: English and Chinese side by side."""

from __future__ import annotations

from ..messages import Template, Vocabulary
from ..settings import COMMAND


class Says(Vocabulary, package="vectorize"):
    not_in_table = Template("This model is not among the table's.", "表中没有该模型。")
    no_model_chosen = Template("No model was chosen.", "没有选择模型。")
    model_repeated = Template("A model may stand in an ensemble once.", "同一模型在组合中只能出现一次。")
    batch_size_range = Template("The batch size has to lie in 1..{limit}.", "批大小须在 1..{limit} 之间。")
    name_one = Template(
        f"Name at least one; `{COMMAND} models list` shows all.",
        f"请至少指定一个；用 `{COMMAND} models list` 查看全部。",
    )
    name_each_model_once = Template("Name each model once.", "每个模型请只指定一次。")
    vector_not_finite = Template(
        "The model gives a vector that is not finite; another dtype may help.",
        "模型给出的向量含 NaN 或无穷大；换一种数据类型或许可行。",
    )
    rows_resumed = Template(
        "{count} rows of an earlier run that did not end were taken over.", "沿用了上次未完成运行的 {count} 行结果。"
    )
    rows_not_resumed = Template(
        "{count} rows of an earlier run were not used: their files or models have changed since.",
        "上次运行的 {count} 行结果未沿用：其文件或模型已有变化。",
    )
    memory_ran_out = Template("Memory ran out.", "内存不足。")
    too_narrow = Template(
        "{width} × {height} px is too narrow: resized for {model} it would be {new_width} × {new_height} px.",
        "{width} × {height} 像素过于狭长：按 {model} 缩放后将为 {new_width} × {new_height} 像素。",
    )
    use_smaller = Template("Use a smaller batch or a smaller model.", "请减小批大小，或选择较小的模型。")
    journal_not_opened = Template("The journal cannot be opened ({error}).", "无法打开进度日志（{error}）。")
    journal_not_written = Template("The journal cannot be written ({error}).", "无法写入进度日志（{error}）。")
    journal_set_aside = Template(
        "The journal of an earlier run is damaged: it was set aside as {path}, and what stands before the damage is "
        "used.",
        "上次运行的进度日志已损坏：已另存为 {path}，损坏处之前的内容仍沿用。",
    )
    not_ours = Template(
        "There is something at this place that this project did not write; it is left as it is.",
        "该位置已有并非本项目写出的内容，保持原样。",
    )
    strangers_inside = Template(
        "The folder holds what is no part of the table ({names}), and is left as it is.",
        "文件夹中有不属于该表的内容（{names}），保持原样。",
    )
    another_name_or_overwrite = Template(
        "Choose another name, or move it away; `vectorize --overwrite` replaces it.",
        "请换一个名称，或将其移走；`vectorize --overwrite` 会替换它。",
    )
    output_in_use = Template("Another run is writing to the same output.", "另一次运行正在写入同一输出。")
    wait_or_choose_output = Template("Wait for it, or choose another --output.", "请等待其结束，或另选 --output。")
    none_reads_words = Template("None of the models has a text tower.", "所选模型都没有文本编码器。")
    several_read_words = Template("Several of the models understand words.", "有多个模型支持文字搜索。")
    query_shape = Template(
        "The query has shape {shape}, the vectors have {dim} values.",
        "查询向量的形状为 {shape}，而库中向量为 {dim} 维。",
    )
    query_not_finite = Template("The query is not finite.", "查询向量含 NaN 或无穷大。")
    vectorize_with_clip = Template(
        "Vectorize with a CLIP model to search by words.", "要用文字搜索，请用 CLIP 模型重新向量化。"
    )
    name_one_to_ask = Template("Name the one to ask: {names}.", "请指定其中一个：{names}。")
    output_suffix = Template(
        "The output's suffix {suffix} names no format.", "输出文件的后缀 {suffix} 不对应任何格式。"
    )
    lance_name = Template(
        "LanceDB opens tables whose names have only letters, digits, `_`, `-` and `.`.",
        "LanceDB 的表名只能含字母、数字、`_`、`-` 和 `.`。",
    )
    output_folder_read_only = Template("The output's folder may not be written to.", "无权写入输出文件夹。")
    unknown_suffix = Template("The suffix names no format.", "该后缀不对应任何格式。")
    no_such_file = Template("There is no such file.", "没有该文件。")
    not_comparable = Template(
        "These vectors and vectors made now are not comparable: {differences}.",
        "这些向量与现在生成的向量不可比较：{differences}。",
    )
    no_passport = Template(
        "The file carries no passport: it was not written by this project, so nobody knows which model made it.",
        "文件中没有来源记录：它不是由本项目写出的，无法得知由哪个模型生成。",
    )
    hash_differs = Template(
        "The file is damaged: ids and vectors are not those that were written.", "文件已损坏：id 与向量和写入时不一致。"
    )
    use_one = Template("Use one of {names}.", "请使用以下之一：{names}。")
    choose_lance_name = Template("Choose another name for the .lance folder.", "请为 .lance 文件夹换一个名称。")
    output_folder_not_made = Template(
        "The output's folder cannot be made ({error}).", "无法创建输出文件夹（{error}）。"
    )
    not_written = Template("The vectors cannot be written ({error}).", "无法写入向量（{error}）。")
    damaged_or_other_kind = Template(
        "The file is damaged or of another kind ({error}).", "文件已损坏，或属于其他类型（{error}）。"
    )
    vectorize_again_or_bring_back = Template(
        "Vectorize the images again, or bring back the weights and models that made the file.",
        "请重新向量化图片，或恢复生成该文件时的权重与模型。",
    )
    vectorize_again_output = Template("Vectorize the images again with --output.", "请用 --output 重新向量化图片。")
    later_version = Template("The file was written by a later version.", "文件由更新的版本写出。")
    file_damaged = Template("The file is damaged ({error}).", "文件已损坏（{error}）。")
    vectorize_again = Template("Vectorize the images again.", "请重新向量化图片。")
    update = Template("Update.", "请升级。")
    output_is_file = Template("The output is a file already.", "输出位置已有同名文件。")
    no_suffix = Template("(none)", "（无）")
    one_at_a_time = Template(
        "They do not fit in memory together: one model after the other, each image decoded {count} ×.",
        "这些模型无法同时放入内存：依次运行，每张图片解码 {count} 次。",
    )
    one_at_a_time_gpu = Template(
        "They do not fit the GPU's memory together: one model after the other, each image decoded {count} ×.",
        "这些模型无法同时放入 GPU 显存：依次运行，每张图片解码 {count} 次。",
    )
