"""What the app itself and its API say."""

SENTENCES: dict[str, str] = {
    # ---- uploads
    "There are no images.": "没有图片。",
    "Drop photos or a zip, or try the examples.": "请放入照片或 zip，或试用示例。",
    "More than {limit} images at once.": "一次超过 {limit} 张图片。",
    "Give at most {limit}; the command line takes any number.": "请最多提供 {limit} 张；命令行不限数量。",
    "There is no format {suffix}.": "没有 {suffix} 这种格式。",
    "Choose one of {names}": "可选：{names}",
    "There is no row {row}.": "没有第 {row} 行。",
    # ---- the foreground tab
    "There are no boxes.": "没有方框。",
    "Write x0, y0, x1, y1 in pixels, one box per line.": "请以像素写出 x0, y0, x1, y1，每行一个方框。",
    "Write x0, y0, x1, y1 in pixels.": "请以像素写出 x0, y0, x1, y1。",
    "Line {number} is not a box: {line}.": "第 {number} 行不是方框：{line}。",
    "The file is too long.": "文件过长。",
    "The drawing cannot be read.": "无法读取绘制内容。",
    "Clear it and draw again.": "请清空后重新绘制。",
    "Nothing is drawn.": "还没有绘制任何内容。",
    "Paint over a part of the photo, or draw a box around it.": "请涂抹照片的一部分，或画框将其围住。",
    # ---- the pose tab
    "There is no encoder {name}.": "没有名为 {name} 的编码器。",
    "There is no such example.": "没有该示例。",
    # ---- the runs tab
    "Folders here: {names}.": "现有文件夹：{names:list}。",
    # ---- the API
    "There is no image.": "没有图片。",
    "Give one as `image`.": "请通过 `image` 提供。",
    "Give `mask` or `components`, not both.": "`mask` 与 `components` 只能提供其一。",
    "`{group}` is a list of prompts, a preset's name, or null.": "`{group}` 须为提示词列表、词表名称或 null。",
    "`{name}` is an object of numbers by name, or null.": "`{name}` 须为按名称给出数值的对象，或 null。",
    "Names: {names}.": "可用名称：{names}。",
    "`models` is a list of model ids, or one string with commas.": (
        "`models` 须为模型 id 的列表，或以逗号分隔的字符串。"
    ),
    "`batch_size` is a whole number.": "`batch_size` 须为整数。",
    "Train first, or send logs as `files`.": "请先训练，或通过 `files` 提交日志。",
    "There are no runs in it.": "其中没有训练记录。",
    "Give CSV, JSONL, TensorBoard event files, or a zip of them.": "支持 CSV、JSONL、TensorBoard 事件文件，或其 zip。",
    "A direction is auto, min or max.": "方向须为 auto、min 或 max。",
}
