"""What `core.pose` says: English and Chinese side by side."""

from __future__ import annotations

from ..messages import Template, Vocabulary


class Says(Vocabulary, package="pose"):
    # ---- angles
    yaw = Template("yaw", "偏航")
    pitch = Template("pitch", "俯仰")
    roll = Template("roll", "翻滚")
    not_finite = Template("{angles} is not a finite number.", "{angles}不是有限的数。")
    not_finite_rows = Template(
        "{angles} is not a finite number (and {count} more such rows).",
        "{angles}不是有限的数（另有 {count} 行同样如此）。",
    )
    not_finite_next = Template("remove the row or fill in the angle in degrees", "请删除该行，或填入角度（单位为度）")
    not_numbers = Template("Angles must be numbers: {error}.", "角度须为数字：{error}。")
    give_degrees = Template("give yaw, pitch and roll in degrees", "请以度为单位给出偏航、俯仰、翻滚角")
    give_radians = Template("give yaw, pitch and roll in radians", "请以弧度为单位给出偏航、俯仰、翻滚角")
    three_columns = Template(
        "Poses need three columns, yaw, pitch, roll; the shape is {shape}.",
        "姿态须有三列：偏航、俯仰、翻滚；此处的形状为 {shape}。",
    )
    three_columns_next = Template("give an array of shape [N, 3] in degrees", "请提供形状为 [N, 3] 的数组，单位为度")
    six_d_shape = Template("6D rotations have shape [N, 6], not {shape}.", "6D 旋转的形状须为 [N, 6]，不能是 {shape}。")
    six_d_plane = Template("The two columns of a 6D rotation must span a plane.", "6D 旋转的两列须张成一个平面。")
    # ---- conventions
    no_such_convention = Template("No such convention of angles.", "没有这种角度约定。")
    landmarks_shape = Template(
        "The check needs finite landmarks of shape [{count}, 68, 2]; the shape is {shape}.",
        "检查需要形状为 [{count}, 68, 2] 的有限关键点；此处的形状为 {shape}。",
    )
    landmarks_shape_next = Template(
        "give 68 landmarks in iBUG order for each pose", "请按 iBUG 顺序为每个姿态提供 68 个关键点"
    )
    too_few_heads = Template(
        "{count} heads are too few; {needed} are needed.", "{count} 个头部太少，至少需要 {needed} 个。"
    )
    yaw_unclear = Template("Yaw varies too little, or does not follow the nose.", "偏航变化太小，或与鼻子的朝向不符。")
    pitch_down = Template(
        "Pitch is positive when looking down, as in none of the known conventions.",
        "俯视时俯仰为正，与已知的约定都不符。",
    )
    yaw_and_roll_disagree = Template(
        "Yaw follows the viewer and roll the subject, as in none of the known conventions.",
        "偏航以观看者为准而翻滚以本人为准，与已知的约定都不符。",
    )
    as_viewer = Template("Yaw is positive with the nose to image right.", "鼻子朝画面右侧时偏航为正。")
    roll_unclear = Template(
        "Yaw is positive with the nose to image left, but roll varies too little to tell aflw from subject.",
        "鼻子朝画面左侧时偏航为正，但翻滚变化太小，无法区分 aflw 与 subject。",
    )
    as_aflw = Template(
        "Yaw is positive with the nose to image left, roll with the head's top to image right.",
        "鼻子朝画面左侧时偏航为正，头顶倒向画面右侧时翻滚为正。",
    )
    as_subject = Template(
        "Yaw is positive with the nose to image left, roll with the head's top to image left.",
        "鼻子朝画面左侧时偏航为正，头顶倒向画面左侧时翻滚为正。",
    )
    # ---- captions
    one_brace = Template("A caption template has exactly one {{}}.", "描述模板中须恰好有一个 {{}}。")
    one_brace_next = Template("for example 'a face, {{}}'", "例如 'a face, {{}}'")
    expressions = Template("expressions", "表情")
    lights = Template("lights", "光照")
    words_for_poses = Template("{count} {kind} for {poses} poses.", "{kind}有 {count} 个，而姿态有 {poses} 个。")
    words_for_poses_next = Template("give one of {kind} for each pose", "请为每个姿态各给一个{kind}")
    no_caption = Template("There is no caption to encode.", "没有要编码的描述。")
    no_template = Template("There is no template.", "没有模板。")
    no_template_next = Template("Give at least '{{}}'.", "请至少给出 '{{}}'。")
    # ---- models
    no_text_tower = Template(
        "{model} has no text tower, so it cannot encode a pose in words.",
        "{model} 没有文本编码器，无法编码文字描述的姿态。",
    )
    no_text_tower_next = Template(
        "Choose a CLIP model; {model} is always there.", "请选择 CLIP 模型；内置的 {model} 始终可用。"
    )
    or_always_there = Template(
        "{hint}, or take {model}, the built-in model that is always there", "{hint}，或使用始终可用的内置模型 {model}"
    )
    names_of_towers = Template(
        "{names}, or an id with a text tower such as demo_clip", "可用 {names}，或带文本编码器的模型 id，例如 demo_clip"
    )
    names_of_towers_or = Template("{towers}; {hint}", "{towers}；{hint}")
    no_description_of_model = Template("The description of this model is not here.", "本机还没有该模型的结构描述文件。")
    reads_no_captions = Template(
        "This model has no text tower, and cannot read captions.", "该模型没有文本编码器，无法读取描述。"
    )
    caption_cut_next = Template("use a shorter template, or fewer words", "请使用较短的模板，或减少用词")
    # ---- encoders
    no_such_arm = Template("No pose encoder has this name.", "没有该名称的姿态编码器。")
    no_such_variant = Template("No such variant of captions.", "没有这种描述变体。")
    no_such_representation = Template("No such representation of angles.", "没有这种角度表示。")
    variant_needs_frozen = Template(
        "Captions are {variant} only in discrete text with a frozen CLIP.",
        "只有在离散文本且冻结 CLIP 时，描述才可为 {variant}。",
    )
    variant_takes_no_words = Template(
        "Captions that are {variant} take no words on expression or light.", "{variant} 描述不能附加表情或光照词语。"
    )
    variant_takes_no_words_next = Template("use the plain variant", "请使用 plain 变体")
    rounding_too_fine = Template(
        "Captions are rounded to 0.1 degrees or coarser.", "描述中的角度只能取整到 0.1 度或更粗。"
    )
    lent_tower_unfrozen = Template("A borrowed text tower cannot be fine-tuned.", "借用的文本编码器不能微调。")
    lent_tower_unfrozen_next = Template(
        "leave out encode_texts, or freeze_clip=True", "请去掉 encode_texts，或设 freeze_clip=True"
    )
    hybrid_output_dims = Template(
        "The parts of a hybrid need one output_dim, not {clip} and {mlp}.",
        "混合编码器各部分的 output_dim 须相同，现为 {clip} 与 {mlp}。",
    )
    hybrid_output_dims_next = Template("make both with the same output_dim", "请使两者的 output_dim 相同")
    heads_divide_width = Template(
        "{heads} heads do not divide a width of {width}.", "宽度 {width} 不能被 {heads} 个注意力头整除。"
    )
    heads_divide_width_next = Template("choose a divisor", "请选择宽度的因数")
    # ---- audit
    audit_too_few = Template("An audit needs at least three poses.", "检查至少需要三个姿态。")
    audit_bad_values = Template(
        "The encoder gave {shape} for {rows} poses, or values that are not finite.",
        "编码器对 {rows} 个姿态给出了 {shape}，或含有 NaN、无穷大。",
    )
    # ---- a CSV of poses: the file
    give_csv = Template("Give a CSV with the columns yaw, pitch, roll.", "请提供含 yaw、pitch、roll 三列的 CSV。")
    not_text = Template("This is not a text file.", "这不是文本文件。")
    not_text_next = Template("Save the poses as CSV in UTF-8.", "请将姿态存为 UTF-8 编码的 CSV。")
    not_utf_8 = Template("The file is not UTF-8 text.", "文件不是 UTF-8 文本。")
    not_utf_8_next = Template("Save it as CSV UTF-8.", "请另存为 CSV UTF-8。")
    no_csv = Template("The file is no CSV ({error}).", "文件不是 CSV（{error}）。")
    mend_line = Template(
        "Mend that line, or save the poses again as CSV UTF-8.", "请修改该行，或将姿态重新存为 UTF-8 编码的 CSV。"
    )
    needs_columns = Template("It needs the columns yaw, pitch, roll.", "需要 yaw、pitch、roll 三列。")
    no_column = Template(
        "There is no column for {names}; the first line is {line!r}.", "缺少 {names} 列；首行为 {line!r}。"
    )
    no_column_next = Template(
        "Begin the file with the line yaw,pitch,roll, or give three columns of numbers.",
        "请让文件首行为 yaw,pitch,roll，或提供三列数字。",
    )
    column_twice = Template("The header names {column} twice.", "表头中 {column} 出现了两次。")
    column_twice_next = Template("Rename one of the two columns.", "请给其中一列改名。")
    no_rows = Template("The file has a header and no rows.", "文件只有表头，没有数据行。")
    # ---- its rows
    angle_empty = Template("{angle} is empty", "{angle}为空")
    angle_nan = Template("{angle} is NaN", "{angle}为 NaN")
    angle_infinite = Template("{angle} is infinite", "{angle}为无穷大")
    angle_no_number = Template("{angle} is not a number: {cell!r}", "{angle}不是数字：{cell!r}")
    angle_decimal_comma = Template(
        "{angle} is not a number: {cell!r}; write the decimal point as a point",
        "{angle}不是数字：{cell!r}；小数点请写成“.”",
    )
    too_many_cells = Template(
        "{cells} cells under {columns} column names", "有 {cells} 个单元格，而列名只有 {columns} 个"
    )
    line = Template("line {line}: {problem}", "第 {line} 行：{problem}")
    no_usable_row = Template(
        "No row can be used ({rows:,} read). The first: {reason}.",
        "没有可用的行（共读取 {rows:,} 行）。第一处问题：{reason}。",
    )
    no_usable_row_next = Template(
        "Give yaw, pitch and roll as numbers, in degrees.", "请以数字给出偏航、俯仰、翻滚角，单位为度。"
    )
    # ---- what was done for the user
    no_header = Template(
        "No header: the first three columns were taken as yaw, pitch, roll.", "没有表头：前三列按偏航、俯仰、翻滚读取。"
    )
    wrapped = Template(
        "{count:,} row(s) had angles beyond ±180, wrapped: line {lines}.",
        "{count:,} 行的角度超出 ±180，已折回：第 {lines} 行。",
    )
    more_rejects = Template("{count:,} more rows could not be used.", "另有 {count:,} 行无法使用。")
    # ---- the output
    no_such_format = Template(
        "Poses of a file are written as {suffixes}, not {suffix}.", "文件中的姿态可写为 {suffixes}，不支持 {suffix}。"
    )
    no_suffix = Template("without a suffix", "没有后缀的文件名")
    no_such_format_next = Template("Give the output one of these suffixes.", "请让输出文件使用其中一个后缀。")
    make_folder = Template("Make it first.", "请先建立该文件夹。")
    give_place = Template("Give a place that can be written to and has room.", "请给出可写且空间足够的位置。")
    too_many_values = Template("The output would have more than {limit:,} numbers.", "输出将超过 {limit:,} 个数。")
    too_many_values_next = Template(
        "Choose .npz, which holds each caption's vector once.", "请选择 .npz，相同描述的向量只存一次。"
    )
    too_many_captions = Template("More than {limit:,} different captions.", "不同的描述超过 {limit:,} 条。")
    too_many_captions_next = Template(
        "Use the discrete mode, which has 45, or the command line, which has no such bound.",
        "请使用离散模式（共 45 条），或没有此限制的命令行。",
    )
    too_much_for_npz = Template(
        "The vectors of {count:,} different captions are too much for one .npz.",
        "{count:,} 条不同描述的向量过多，无法存入一个 .npz。",
    )
    too_much_for_npz_next = Template("Choose .parquet.", "请选择 .parquet。")
    # ---- the command
    captions_need_output = Template("The captions of a file are written to a file.", "文件中姿态的描述须写入文件。")
    vectors_need_output = Template("The vectors of a file are written to a file.", "文件中姿态的向量须写入文件。")
    add_output = Template("Add --output F.csv, .parquet or .npz.", "请加上 --output F.csv、.parquet 或 .npz。")
    output_needs_file = Template(
        "--output goes with --poses_file; the caption of one pose is printed.",
        "--output 须与 --poses_file 同用；单个姿态的描述直接打印。",
    )
    one_pose_or_file = Template(
        "Give one pose or --poses_file, not both.", "请给出一个姿态或 --poses_file，不能同时给出。"
    )
    flag_not_given = Template("{flags} is not given.", "没有给出 {flags}。")
    flags_not_given = Template("{flags} are not given.", "没有给出 {flags}。")
    flags_not_given_next = Template(
        "Give --yaw Y --pitch P --roll R in degrees, or --poses_file F.csv.",
        "请以度为单位给出 --yaw Y --pitch P --roll R，或给出 --poses_file F.csv。",
    )
    flag_wrapped = Template(
        "{flag} {given:g} is beyond ±180: wrapped to {used:g}.", "{flag} {given:g} 超出 ±180，已换算为 {used:g}。"
    )
    flag_not_finite = Template("{flag} {value} is not a finite number.", "{flag} {value} 不是有限的数。")
    give_flag_degrees = Template("Give {flag} in degrees.", "请以度为单位给出 {flag}。")
