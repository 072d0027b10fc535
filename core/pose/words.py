"""What `core.pose` says: English and Chinese side by side."""

from __future__ import annotations

from ..messages import Template, Vocabulary


class Says(Vocabulary, package="pose"):
    no_such_convention_angles = Template("No such convention of angles.", "没有这种角度约定。")
    poses_need_three_columns_yaw = Template(
        "Poses need three columns, yaw, pitch, roll; the shape is {shape}.",
        "姿态须有三列：偏航、俯仰、翻滚；此处的形状为 {shape}。",
    )
    n_6d_rotations_shape_n_6 = Template(
        "6D rotations have shape [N, 6], not {shape}.", "6D 旋转的形状须为 [N, 6]，不能是 {shape}。"
    )
    two_columns_6d_rotation_must = Template(
        "The two columns of a 6D rotation must span a plane.", "6D 旋转的两列须张成一个平面。"
    )
    check_needs_finite_landmarks_shape = Template(
        "The check needs finite landmarks of shape [{count}, 68, 2]; the shape is {shape}.",
        "检查需要形状为 [{count}, 68, 2] 的有限关键点；此处的形状为 {shape}。",
    )
    angles_must_numbers = Template("Angles must be numbers: {error}.", "角度须为数字：{error}。")
    give_array_shape_n_3 = Template("give an array of shape [N, 3] in degrees", "请提供形状为 [N, 3] 的数组，单位为度")
    remove_row_fill_angle_degrees = Template(
        "remove the row or fill in the angle in degrees", "请删除该行，或填入角度（单位为度）"
    )
    give_68_landmarks_ibug_order = Template(
        "give 68 landmarks in iBUG order for each pose", "请按 iBUG 顺序为每个姿态提供 68 个关键点"
    )
    give_yaw_pitch_roll_degrees = Template("give yaw, pitch and roll in degrees", "请以度为单位给出偏航、俯仰、翻滚角")
    give_yaw_pitch_roll_radians = Template(
        "give yaw, pitch and roll in radians", "请以弧度为单位给出偏航、俯仰、翻滚角"
    )
    audit_needs_least_three_poses = Template("An audit needs at least three poses.", "检查至少需要三个姿态。")
    encoder_gave_poses_values_not = Template(
        "The encoder gave {shape} for {rows} poses, or values that are not finite.",
        "编码器对 {rows} 个姿态给出了 {shape}，或含有 NaN、无穷大。",
    )
    there_no_caption_encode = Template("There is no caption to encode.", "没有要编码的描述。")
    no_text_tower_so_cannot = Template(
        "{model} has no text tower, so it cannot encode a pose in words.",
        "{model} 没有文本编码器，无法编码文字描述的姿态。",
    )
    choose_clip_model_always_there = Template(
        "Choose a CLIP model; {model} is always there.", "请选择 CLIP 模型；内置的 {model} 始终可用。"
    )
    id_text_tower_such_demo = Template(
        "{names}, or an id with a text tower such as demo_clip", "{names}，或带文本编码器的模型 id，例如 demo_clip"
    )
    no_pose_encoder_name = Template("No pose encoder has this name.", "没有该名称的姿态编码器。")
    description_model_not_here = Template(
        "The description of this model is not here.", "本机还没有该模型的结构描述文件。"
    )
    model_no_text_tower_cannot = Template(
        "This model has no text tower, and cannot read captions.", "该模型没有文本编码器，无法读取描述。"
    )
    no_such_variant_captions = Template("No such variant of captions.", "没有这种描述变体。")
    captions_only_discrete_text_frozen = Template(
        "Captions are {variant} only in discrete text with a frozen CLIP.",
        "只有在离散文本且冻结 CLIP 时，描述才可为 {variant}。",
    )
    captions_rounded_0_1_degrees = Template(
        "Captions are rounded to 0.1 degrees or coarser.", "描述中的角度只能取整到 0.1 度或更粗。"
    )
    borrowed_text_tower_cannot_fine = Template(
        "A borrowed text tower cannot be fine-tuned.", "借用的文本编码器不能微调。"
    )
    no_such_representation_angles = Template("No such representation of angles.", "没有这种角度表示。")
    captions_take_no_words_expression = Template(
        "Captions that are {variant} take no words on expression or light.", "{variant} 描述不能附加表情或光照词语。"
    )
    parts_hybrid_need_one_output = Template(
        "The parts of a hybrid need one output_dim, not {clip} and {mlp}.",
        "混合编码器各部分的 output_dim 须相同，现为 {clip} 与 {mlp}。",
    )
    use_shorter_template_fewer_words = Template(
        "use a shorter template, or fewer words", "请使用较短的模板，或减少用词"
    )
    leave_out_encode_texts_freeze = Template(
        "leave out encode_texts, or freeze_clip=True", "请去掉 encode_texts，或设 freeze_clip=True"
    )
    use_plain_variant = Template("use the plain variant", "请使用 plain 变体")
    make_both_same_output_dim = Template("make both with the same output_dim", "请使两者的 output_dim 相同")
    heads_do_not_divide_width = Template(
        "{heads} heads do not divide a width of {width}.", "宽度 {width} 不能被 {heads} 个注意力头整除。"
    )
    choose_divisor = Template("choose a divisor", "请选择宽度的因数")
    there_no_column_first_line = Template(
        "There is no column for {names}; the first line is {line!r}.", "缺少 {names} 列；首行为 {line!r}。"
    )
    not_text_file = Template("This is not a text file.", "这不是文本文件。")
    begin_file_line_yaw_pitch = Template(
        "Begin the file with the line yaw,pitch,roll, or give three columns of numbers.",
        "请让文件首行为 yaw,pitch,roll，或提供三列数字。",
    )
    cells_under_column_names = Template(
        "{cells} cells under {columns} column names", "有 {cells} 个单元格，而列名只有 {columns} 个"
    )
    file_header_no_rows = Template("The file has a header and no rows.", "文件只有表头，没有数据行。")
    no_row_can_used_read = Template(
        "No row can be used ({rows:,} read). The first: {reason}.",
        "没有可用的行（共读取 {rows:,} 行）。第一处问题：{reason}。",
    )
    poses_file_written_not = Template(
        "Poses of a file are written as {suffixes}, not {suffix}.", "文件中的姿态可写为 {suffixes}，不支持{suffix}。"
    )
    output_folder_already = Template("The output is a folder already.", "输出位置已有同名文件夹。")
    save_poses_csv_utf_8 = Template("Save the poses as CSV in UTF-8.", "请将姿态存为 UTF-8 编码的 CSV。")
    file_not_utf_8_text = Template("The file is not UTF-8 text.", "文件不是 UTF-8 文本。")
    needs_columns_yaw_pitch_roll = Template("It needs the columns yaw, pitch, roll.", "需要 yaw、pitch、roll 三列。")
    header_names_twice = Template("The header names {column} twice.", "表头中 {column} 出现了两次。")
    output_would_more_than_numbers = Template(
        "The output would have more than {limit:,} numbers.", "输出将超过 {limit:,} 个数。"
    )
    give_yaw_pitch_roll_numbers = Template(
        "Give yaw, pitch and roll as numbers, in degrees.", "请以数字给出偏航、俯仰、翻滚角，单位为度。"
    )
    no_header_first_three_columns = Template(
        "No header: the first three columns were taken as yaw, pitch, roll.", "没有表头：前三列按偏航、俯仰、翻滚读取。"
    )
    row_s_angles_beyond_180 = Template(
        "{count:,} row(s) had angles beyond ±180, wrapped: line {lines}.",
        "{count:,} 行的角度超出 ±180，已折回：第 {lines} 行。",
    )
    more_rows_could_not_used = Template("{count:,} more rows could not be used.", "另有 {count:,} 行无法使用。")
    give_output_one_suffixes = Template("Give the output one of these suffixes.", "请让输出文件使用其中一个后缀。")
    make_first = Template("Make it first.", "请先建立该文件夹。")
    vectors_different_captions_too_much = Template(
        "The vectors of {count:,} different captions are too much for one .npz.",
        "{count:,} 条不同描述的向量过多，无法存入一个 .npz。",
    )
    give_csv_columns_yaw_pitch = Template(
        "Give a CSV with the columns yaw, pitch, roll.", "请提供含 yaw、pitch、roll 三列的 CSV。"
    )
    save_csv_utf_8 = Template("Save it as CSV UTF-8.", "请另存为 CSV UTF-8。")
    rename_one_two_columns = Template("Rename one of the two columns.", "请给其中一列改名。")
    more_than_different_captions = Template("More than {limit:,} different captions.", "不同的描述超过 {limit:,} 条。")
    choose_npz_which_holds_each = Template(
        "Choose .npz, which holds each caption's vector once.", "请选择 .npz，相同描述的向量只存一次。"
    )
    choose_parquet = Template("Choose .parquet.", "请选择 .parquet。")
    mend_line_save_poses_again = Template(
        "Mend that line, or save the poses again as CSV UTF-8.", "请修改该行，或将姿态重新存为 UTF-8 编码的 CSV。"
    )
    give_place_can_written_room = Template(
        "Give a place that can be written to and has room.", "请给出可写且空间足够的位置。"
    )
    use_discrete_mode_which_45 = Template(
        "Use the discrete mode, which has 45, or the command line, which has no such bound.",
        "请使用离散模式（共 45 条），或没有此限制的命令行。",
    )
    caption_template_exactly_one = Template("A caption template has exactly one {{}}.", "描述模板中须恰好有一个 {{}}。")
    example_face = Template("for example 'a face, {{}}'", "例如 'a face, {{}}'")
    poses = Template("{count} {kind} for {poses} poses.", "{kind}有 {count} 个，而姿态有 {poses} 个。")
    give_one_each_pose = Template("give one of {kind} for each pose", "请为每个姿态各给一个{kind}")
    there_no_template = Template("There is no template.", "没有模板。")
    give_least = Template("Give at least '{{}}'.", "请至少给出 '{{}}'。")
