"""`core.pose`: angles, captions, pose encoders, files of poses."""

SENTENCES: dict[str, str] = {
    # ---- angles
    "Poses need three columns, yaw, pitch, roll; the shape is {shape}.": (
        "姿态须有三列：偏航、俯仰、翻滚；此处的形状为 {shape}。"
    ),
    "give an array of shape [N, 3] in degrees": "请提供形状为 [N, 3] 的数组，单位为度",
    "{names} is not a finite number.": "{names:words}不是有限的数。",
    "{names} is not a finite number (and {count} more such rows).": (
        "{names:words}不是有限的数（另有 {count} 行同样如此）。"
    ),
    "remove the row or fill in the angle in degrees": "请删除该行，或填入角度（单位为度）",
    "Angles must be numbers: {error}.": "角度须为数字：{error}。",
    "Give an angle in degrees.": "请给出以度为单位的角度。",
    "give yaw, pitch and roll in degrees": "请以度为单位给出偏航、俯仰、翻滚角",
    "give yaw, pitch and roll in radians": "请以弧度为单位给出偏航、俯仰、翻滚角",
    "No such convention of angles.": "没有这种角度约定。",
    "6D rotations have shape [N, 6], not {shape}.": "6D 旋转的形状须为 [N, 6]，不能是 {shape}。",
    "The two columns of a 6D rotation must span a plane.": "6D 旋转的两列须张成一个平面。",
    "The check needs finite landmarks of shape [{count}, 68, 2]; the shape is {shape}.": (
        "检查需要形状为 [{count}, 68, 2] 的有限关键点；此处的形状为 {shape}。"
    ),
    "give 68 landmarks in iBUG order for each pose": "请按 iBUG 顺序为每个姿态提供 68 个关键点",
    # ---- captions
    "There is no caption to encode.": "没有要编码的描述。",
    "A caption template has exactly one {{}}.": "描述模板中须恰好有一个 {{}}。",
    "for example 'a face, {{}}'": "例如 'a face, {{}}'",
    "There is no template.": "没有模板。",
    "Give at least '{{}}'.": "请至少给出 '{{}}'。",
    "{count} {kind} for {poses} poses.": "{kind:words}有 {count} 个，而姿态有 {poses} 个。",
    "give one of {kind} for each pose": "请为每个姿态各给一个{kind:words}",
    "use a shorter template, or fewer words": "请使用较短的模板，或减少用词",
    # ---- encoders
    "{model} has no text tower, so it cannot encode a pose in words.": (
        "{model} 没有文本编码器，无法编码文字描述的姿态。"
    ),
    "Choose a CLIP model; {model} is always there.": "请选择 CLIP 模型；内置的 {model} 始终可用。",
    "No pose encoder has this name.": "没有该名称的姿态编码器。",
    "This model has no text tower, and cannot read captions.": "该模型没有文本编码器，无法读取描述。",
    "{names}, or an id with a text tower such as demo_clip": "{names}，或带文本编码器的模型 id，例如 demo_clip",
    "{names}, or an id with a text tower such as demo_clip; {hint}": (
        "{names}，或带文本编码器的模型 id，例如 demo_clip；{hint:sentences}"
    ),
    "{hint}, or take demo_clip, the built-in model that is always there": (
        "{hint:sentences}，或使用始终可用的内置模型 demo_clip"
    ),
    "{hint}, or take {model}, which is always there": "{hint:sentences}，或使用始终可用的 {model}",
    "{heads} heads do not divide a width of {width}.": "宽度 {width} 不能被 {heads} 个注意力头整除。",
    "choose a divisor": "请选择宽度的因数",
    "No such variant of captions.": "没有这种描述变体。",
    "Captions are {variant} only in discrete text with a frozen CLIP.": (
        "只有在离散文本且冻结 CLIP 时，描述才可为 {variant}。"
    ),
    "Captions that are {variant} take no words on expression or light.": "{variant} 描述不能附加表情或光照词语。",
    "use the plain variant": "请使用 plain 变体",
    "Captions are rounded to 0.1 degrees or coarser.": "描述中的角度只能取整到 0.1 度或更粗。",
    "A borrowed text tower cannot be fine-tuned.": "借用的文本编码器不能微调。",
    "leave out encode_texts, or freeze_clip=True": "请去掉 encode_texts，或设 freeze_clip=True",
    "No such representation of angles.": "没有这种角度表示。",
    "The parts of a hybrid need one output_dim, not {clip} and {mlp}.": (
        "混合编码器各部分的 output_dim 须相同，现为 {clip} 与 {mlp}。"
    ),
    "make both with the same output_dim": "请使两者的 output_dim 相同",
    # ---- audit
    "An audit needs at least three poses.": "检查至少需要三个姿态。",
    "The encoder gave {shape} for {rows} poses, or values that are not finite.": (
        "编码器对 {rows} 个姿态给出了 {shape}，或含有 NaN、无穷大。"
    ),
    # ---- files of poses
    "There is no column for {names}; the first line is {line}.": "缺少 {names} 列；首行为 {line}。",
    "Begin the file with the line yaw,pitch,roll, or give three columns of numbers.": (
        "请让文件首行为 yaw,pitch,roll，或提供三列数字。"
    ),
    "Give a CSV with the columns yaw, pitch, roll.": "请提供含 yaw、pitch、roll 三列的 CSV。",
    "Rename one of the two columns.": "请给其中一列改名。",
    "Mend that line, or save the poses again as CSV UTF-8.": "请修改该行，或将姿态重新存为 UTF-8 编码的 CSV。",
    "Give a place that can be written to and has room.": "请给出可写且空间足够的位置。",
    "Give the output one of these suffixes.": "请让输出文件使用其中一个后缀。",
    "Make it first.": "请先建立该文件夹。",
    "It needs the columns yaw, pitch, roll.": "需要 yaw、pitch、roll 三列。",
    "This is not a text file.": "这不是文本文件。",
    "Save the poses as CSV in UTF-8.": "请将姿态存为 UTF-8 编码的 CSV。",
    "The file has a header and no rows.": "文件只有表头，没有数据行。",
    "No row can be used ({rows} read). The first: {reason}.": (
        "没有可用的行（共读取 {rows} 行）。第一处问题：{reason:sentences}。"
    ),
    "Give yaw, pitch and roll as numbers, in degrees.": "请以数字给出偏航、俯仰、翻滚角，单位为度。",
    "Poses of a file are written as {suffixes}, not {suffix}.": "文件中的姿态可写为 {suffixes}，不支持{suffix:words}。",
    "The file is not UTF-8 text.": "文件不是 UTF-8 文本。",
    "Save it as CSV UTF-8.": "请另存为 CSV UTF-8。",
    "The file is no CSV ({error}).": "文件不是 CSV（{error}）。",
    "The header names {column} twice.": "表头中 {column} 出现了两次。",
    "The output would have more than {limit} numbers.": "输出将超过 {limit} 个数。",
    "Choose .npz, which holds each caption's vector once.": "请选择 .npz，相同描述的向量只存一次。",
    "No header: the first three columns were taken as yaw, pitch, roll.": ("没有表头：前三列按偏航、俯仰、翻滚读取。"),
    "{count} row(s) had angles beyond ±180, wrapped: line {lines}.": (
        "{count} 行的角度超出 ±180，已折回：第 {lines} 行。"
    ),
    "{count} more rows could not be used.": "另有 {count} 行无法使用。",
    "The vectors of {count} different captions are too much for one .npz.": (
        "{count} 条不同描述的向量过多，无法存入一个 .npz。"
    ),
    "Choose .parquet.": "请选择 .parquet。",
    "More than {limit} different captions.": "不同的描述超过 {limit} 条。",
    "Use the discrete mode, which has 45, or the command line, which has no such bound.": (
        "请使用离散模式（共 45 条），或没有此限制的命令行。"
    ),
    "{cells} cells under {columns} column names": "有 {cells} 个单元格，而列名只有 {columns} 个",
    **{
        f"{english} {problem}": f"{chinese}{words}"
        for english, chinese in (("yaw", "偏航"), ("pitch", "俯仰"), ("roll", "翻滚"))
        for problem, words in (
            ("is empty", "为空"),
            ("is empty.", "为空。"),
            ("is NaN", "为 NaN"),
            ("is infinite", "为无穷大"),
            ("is not a number: {cell}", "不是数字：{cell}"),
            ("is not a number: {cell}.", "不是数字：{cell}。"),
            ("is not a number: {cell}; write the decimal point as a point", "不是数字：{cell}；小数点请写成“.”"),
        )
    },
}
