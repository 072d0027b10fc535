"""What several packages say: English and Chinese side by side."""

from __future__ import annotations

from .messages import Template, Vocabulary


class Common(Vocabulary, package="common"):
    unknown_dtype = Template("Unknown dtype {name!r}.", "没有名为 {name!r} 的数据类型。")
    choose_one = Template("Choose one of: {names}.", "可选：{names}。")
    weights_not_here = Template("The weights of this model are not here.", "本机还没有该模型的权重。")
    no_folder_to_write_to = Template("The folder to write to does not exist.", "要写入的文件夹不存在。")
    file_unwritable = Template("The file cannot be written: {error}.", "无法写入文件：{error}。")
    choose_clip_model = Template("Choose a CLIP model.", "请选择 CLIP 模型。")
    file_empty = Template("The file is empty.", "文件是空的。")
    file_unreadable = Template("The file cannot be read: {error}.", "无法读取文件：{error}。")
    no_text_tower = Template("This model has no text tower.", "该模型没有文本编码器。")
    output_is_folder = Template("The output is a folder already.", "输出位置已有同名文件夹。")
    choose_another_name = Template("Choose another name.", "请换一个名称。")
    checkpoint_choice = Template("A checkpoint is best, last or a step.", "检查点须为 best、last 或某一步。")
    no_runs_here = Template("There are no runs here.", "这里没有训练记录。")
    no_such_runs_folder = Template("There is no such folder of runs.", "没有该训练记录文件夹。")
    stopped = Template("Stopped.", "已停止。")
    choose = Template("Choose {names}.", "请选择 {names}。")
    one_of = Template("one of {names}", "可选：{names}")
