"""What `core.fusion` says: English and Chinese side by side."""

from __future__ import annotations

from ..messages import Template, Vocabulary


class Says(Vocabulary, package="fusion"):
    # ---- multi-scale context
    grid_needed = Template("Two-dimensional windows need the grid of the tokens.", "二维窗口需要标记的网格大小。")
    grid_needed_next = Template("Give grid_hw.", "请给出 grid_hw。")
    no_window = Template("There is no window to slide.", "没有可滑动的窗口。")
    no_window_next = Template("Give at least one scale.", "请至少给出一个尺度。")
    patch_tokens_shape = Template(
        "Patch tokens are [B, N, {width}] with N of at least 1, not {shape}.",
        "图块标记的形状须为 [B, N, {width}]，N 至少为 1，不能是 {shape}。",
    )
    patch_tokens_shape_next = Template(
        "Give feat_dim the width of the tokens, and the tokens without the class token.",
        "请让 feat_dim 等于标记的宽度，并去掉类别标记。",
    )
    grid_does_not_fit = Template(
        "A grid of {height} × {width} has {expected} tokens, not {given}.",
        "{height} × {width} 的网格有 {expected} 个标记，而不是 {given} 个。",
    )
    grid_does_not_fit_next = Template(
        "Give grid_hw the grid of the picture size in use.", "请让 grid_hw 与所用图片尺寸的网格一致。"
    )
    not_a_choice = Template("Not a choice of {name}.", "{name} 没有这个选项。")
    scale_shape = Template(
        "A scale of {windows} windows is {shape} in whole tokens, at least 1.",
        "{windows} 窗口的尺度须为{shape}，以整数个标记计，且至少为 1。",
    )
    scale_shape_next = Template("The specified scales are 4, 8, 16.", "规定的尺度为 4、8、16。")
    a_length = Template("a length", "长度")
    a_side = Template("a side or (height, width)", "边长或（高，宽）")
    not_a_stride = Template("Not a stride.", "不是步幅。")
    not_a_stride_next = Template("Choose window, half, or a number of tokens.", "请选择 window、half 或标记个数。")
    # ---- cameras and points
    camera_shape = Template(
        "A camera's {name} must be {expected}, not {shape}.", "相机的 {name} 须为 {expected}，不能是 {shape}。"
    )
    camera_shape_next = Template("Give one row for each image of the batch.", "请为批次中的每张图片各给一行。")
    camera_not_finite = Template("A camera's {name} is not finite.", "相机的 {name} 含有 NaN 或无穷大。")
    camera_not_finite_next = Template("Leave out frames whose pose was lost.", "请去掉丢失位姿的帧。")
    focal_lengths = Template("A camera's focal lengths must be positive.", "相机的焦距须为正数。")
    focal_lengths_next = Template("Check the intrinsics' order.", "请检查内参的排列次序。")
    points_shape = Template(
        "Points are [N, 3] with a batch index [N], not {points} with {batch}.",
        "点的形状须为 [N, 3]，批次下标须为 [N]，不能是 {points} 与 {batch}。",
    )
    points_shape_next = Template(
        "Concatenate the clouds of a batch, and say which image each point belongs to.",
        "请将一个批次的点云拼接起来，并说明每个点属于哪张图片。",
    )
    points_of_no_image = Template(
        "A point belongs to image {most} (or {least}), but there are {images}.",
        "有点属于第 {most}（或 {least}）张图片，而图片共有 {images} 张。",
    )
    points_of_no_image_next = Template("Number the images of a batch from 0.", "批次中的图片请从 0 编号。")
    # ---- the fusion
    needs_a_vit = Template("Spatial features need a ViT with patch tokens.", "空间特征需要带图块标记的 ViT。")
    needs_a_vit_next = Template(
        "Choose a ViT, such as openai_clip_vit_b16 or demo_clip.", "请选择 ViT，例如 openai_clip_vit_b16 或 demo_clip。"
    )
    blocks_to_train = Template(
        "The ViT has {depth} blocks; {count} of them cannot be trained.",
        "该 ViT 有 {depth} 个块，无法训练其中的 {count} 个。",
    )
    blocks_to_train_next = Template(
        "Give 0..{depth}, or {everything} for everything.", "请给出 0..{depth}，或以 {everything} 表示全部。"
    )
    images_shape = Template(
        "This model takes images [B, 3, {height}, {width}], not {shape}.",
        "该模型的图片须为 [B, 3, {height}, {width}]，不能是 {shape}。",
    )
    images_shape_next = Template(
        "Preprocess them for the model, and let the intrinsics follow (preprocess_intrinsics).",
        "请按该模型预处理图片，并相应调整内参（preprocess_intrinsics）。",
    )
    point_features_shape = Template(
        "The points' features must be {expected}, not {shape}.", "点的特征须为 {expected}，不能是 {shape}。"
    )
    point_features_shape_next = Template(
        "Give a row for each point, and point_width the width of the 3-D backbone.",
        "请为每个点给一行，并让 point_width 等于三维骨干的宽度。",
    )
    images_and_cameras = Template("{images} images but {cameras} cameras.", "图片有 {images} 张，相机有 {cameras} 个。")
    images_and_cameras_next = Template("Give each image its camera.", "请为每张图片给出相机。")
    camera_image_size = Template(
        "The cameras are for images of {cameras}, the model takes {model}.",
        "相机对应 {cameras} 的图片，而模型需要 {model}。",
    )
    camera_image_size_next = Template(
        "Let the intrinsics follow the preprocessing (preprocess_intrinsics).",
        "请让内参随预处理调整（preprocess_intrinsics）。",
    )
    # ---- losses
    no_such_form = Template("There is no form {form!r}.", "没有 {form!r} 这种形式。")
    value_cannot_be = Template("{name} cannot be {value}.", "{name} 不能是 {value}。")
    value_cannot_be_next = Template("See its docstring.", "请参阅其文档字符串。")
    schedule_order = Template(
        "A schedule is a list of (first epoch, weight) in order.", "日程须为按次序排列的（起始轮次，权重）列表。"
    )
    schedule_order_next = Template("For example NOTE_SCHEDULE.", "例如 NOTE_SCHEDULE。")
    features_shape = Template(
        "Features are [N, D] and [B, D], not {points} and {images}.",
        "特征须为 [N, D] 与 [B, D]，不能是 {points} 与 {images}。",
    )
    features_shape_next = Template("Project both to one width.", "请将两者投影到同一宽度。")
    infonce_needs_others = Template(
        "infonce compares a point's image with the others of the batch, and there are none.",
        "infonce 将点所属的图片与批次中的其他图片比较，而这里没有其他图片。",
    )
    infonce_needs_others_next = Template(
        "Use batches of two images or more, or form='stable'.", "请使用至少两张图片的批次，或设 form='stable'。"
    )
    which_image = Template(
        "{points} points and {images} images: which point belongs to which?",
        "有 {points} 个点、{images} 张图片：每个点属于哪张图片？",
    )
    which_image_next = Template("Give batch_N.", "请给出 batch_N。")
    batch_shape = Template(
        "batch_N must be [{points}], not {shape}.", "batch_N 的形状须为 [{points}]，不能是 {shape}。"
    )
    batch_shape_next = Template("Give the image of each point.", "请给出每个点所属的图片。")
