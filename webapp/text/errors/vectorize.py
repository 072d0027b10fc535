"""`core.vectorize`: ensembles, jobs, search and files of vectors; and what several packages say in the same words."""

SENTENCES: dict[str, str] = {
    # ---- said in many places
    "Stopped.": "已停止。",
    "Choose {names}.": "请选择 {names}。",
    "Choose {name} or {other}.": "请选择 {name} 或 {other}。",
    "Choose one of: {names}.": "可选：{names}。",
    "Choose one of: auto, {names}.": "可选：auto, {names}。",
    "one of {names}": "可选：{names}",
    "Choose another name.": "请换一个名称。",
    "The folder to write to does not exist.": "要写入的文件夹不存在。",
    "The file cannot be written: {error}.": "无法写入文件：{error:words}。",
    # ---- ensemble, pipeline
    "This model is not among the table's.": "表中没有该模型。",
    "No model was chosen.": "没有选择模型。",
    "Name at least one; `python -m core models list` shows all.": (
        "请至少指定一个；用 `python -m core models list` 查看全部。"
    ),
    "A model may stand in an ensemble once.": "同一模型在组合中只能出现一次。",
    "Name each model once.": "每个模型请只指定一次。",
    "The batch size has to lie in 1..{limit}.": "批大小须在 1..{limit} 之间。",
    "The model gives a vector that is not finite; another dtype may help.": (
        "模型给出的向量含 NaN 或无穷大；换一种数据类型或许可行。"
    ),
    "Memory ran out.": "内存不足。",
    "Use a smaller batch or a smaller model.": "请减小批大小，或选择较小的模型。",
    "{width} × {height} px is too narrow: resized for {model} it would be {new_width} × {new_height} px.": (
        "{width} × {height} 像素过于狭长：按 {model} 缩放后将为 {new_width} × {new_height} 像素。"
    ),
    "They do not fit in memory together: one model after the other, each image decoded {count} ×.": (
        "这些模型无法同时放入内存：依次运行，每张图片解码 {count} 次。"
    ),
    "They do not fit the GPU's memory together: one model after the other, each image decoded {count} ×.": (
        "这些模型无法同时放入 GPU 显存：依次运行，每张图片解码 {count} 次。"
    ),
    "{count} rows of an earlier run that did not end were taken over.": "沿用了上次未完成运行的 {count} 行结果。",
    "{count} rows of an earlier run were not used: their files or models have changed since.": (
        "上次运行的 {count} 行结果未沿用：其文件或模型已有变化。"
    ),
    "The journal cannot be opened ({error}).": "无法打开进度日志（{error:words}）。",
    "The journal cannot be written ({error}).": "无法写入进度日志（{error:words}）。",
    "Another run is writing to the same output.": "另一次运行正在写入同一输出。",
    "Wait for it, or choose another --output.": "请等待其结束，或另选 --output。",
    # ---- search
    "None of the models has a text tower.": "所选模型都没有文本编码器。",
    "Vectorize with a CLIP model to search by words.": "要用文字搜索，请用 CLIP 模型重新向量化。",
    "Several of the models understand words.": "有多个模型支持文字搜索。",
    "Name the one to ask: {names}.": "请指定其中一个：{names}。",
    "The query has shape {shape}, the vectors have {dim} values.": "查询向量的形状为 {shape}，而库中向量为 {dim} 维。",
    "The query is not finite.": "查询向量含 NaN 或无穷大。",
    # ---- files of vectors
    "The output's suffix {suffix} names no format.": "输出文件的后缀 {suffix:words} 不对应任何格式。",
    "The suffix names no format.": "该后缀不对应任何格式。",
    "Use one of {names}.": "请使用以下之一：{names}。",
    "LanceDB opens tables whose names have only letters, digits, `_`, `-` and `.`.": (
        "LanceDB 的表名只能含字母、数字、`_`、`-` 和 `.`。"
    ),
    "Choose another name for the .lance folder.": "请为 .lance 文件夹换一个名称。",
    "The output is a file already.": "输出位置已有同名文件。",
    "The output is a folder already.": "输出位置已有同名文件夹。",
    "The output's folder may not be written to.": "无权写入输出文件夹。",
    "The output's folder cannot be made ({error}).": "无法创建输出文件夹（{error:words}）。",
    "The vectors cannot be written ({error}).": "无法写入向量（{error:words}）。",
    "There is no such file.": "没有该文件。",
    "These vectors and vectors made now are not comparable: {differences}.": (
        "这些向量与现在生成的向量不可比较：{differences:sentences}。"
    ),
    "Vectorize the images again, or bring back the weights and models that made the file.": (
        "请重新向量化图片，或恢复生成该文件时的权重与模型。"
    ),
    "normalize was {before}, now {now}": "normalize 原为 {before}，现为 {now}",
    "the models were {before}, now {now}": "模型原为 {before}，现为 {now}",
    "{model}: the weights were {before}, now {now}": "{model}：权重原为 {before}，现为 {now}",
    "{model}: the architecture was {before}, now {now}": "{model}：结构原为 {before}，现为 {now}",
    "{model}: the dimension was {before}, now {now}": "{model}：维度原为 {before}，现为 {now}",
    "{model}: preprocessing {key} was {before}, now {now}": "{model}：预处理的 {key} 原为 {before}，现为 {now}",
    "the passport's canaries are not a list": "来源记录中的校验向量不是列表",
    "the passport does not hold canaries for every model": "来源记录缺少部分模型的校验向量",
    "{model}: the canary images give other vectors (cosine {cosine}, at least {least} is needed)": (
        "{model}：校验图片得到的向量不同（余弦 {cosine}，至少须为 {least}）"
    ),
    "The file carries no passport: it was not written by this project, so nobody knows which model made it.": (
        "文件中没有来源记录：它不是由本项目写出的，无法得知由哪个模型生成。"
    ),
    "Vectorize the images again with --output.": "请用 --output 重新向量化图片。",
    "Vectorize the images again.": "请重新向量化图片。",
    "The file is damaged or of another kind ({error}).": "文件已损坏，或属于其他类型（{error:words}）。",
    "The file is damaged ({error}).": "文件已损坏（{error:words}）。",
    "The file is damaged: ids and vectors are not those that were written.": ("文件已损坏：id 与向量和写入时不一致。"),
    "The file was written by a later version.": "文件由更新的版本写出。",
    "Update.": "请升级。",
}
