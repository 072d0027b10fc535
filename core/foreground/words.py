"""What `core.foreground` says: English and Chinese side by side."""

from __future__ import annotations

from ..messages import Template, Vocabulary


class Says(Vocabulary, package="foreground"):
    # ---- what is asked for, and the way
    margin_range = Template("The margin must lie in 0..2, not {value}.", "边距须在 0..2 之间，不能是 {value}。")
    mode_unknown = Template("There is no mode {name!r}.", "没有名为 {name!r} 的模式。")
    templates_unknown = Template("There are no templates {name!r}.", "没有名为 {name!r} 的模板。")
    batch_size = Template(
        "The batch size must be a whole number from 1 to 4096, not {value}.",
        "批大小须为 1 到 4096 的整数，不能是 {value}。",
    )
    heat_method_unknown = Template("There is no heat map method {name!r}.", "没有名为 {name!r} 的热图方法。")
    no_heat_map = Template("No heat map: {reason}", "没有热图：{reason}")
    built_in_model = Template(
        "demo_clip is the small built-in model: it knows drawings, not photos. For photos fetch a real CLIP.",
        "demo_clip 是内置小模型：认识图画，不认识照片。处理照片请下载真正的 CLIP。",
    )
    fields_kept = Template(
        "The components brought fields of these names; see NAME_given: {names}.",
        "组件自带同名字段，已另存为 NAME_given：{names}。",
    )
    crop_middle = Template(
        "{count:,} component(s) are longer than 16 : 1; the model is shown their middle.",
        "{count:,} 个组件的长宽比超过 16 : 1，模型只看到中间部分。",
    )
    no_text_tower = Template(
        "{model} has no text tower, so it cannot compare images with prompts.",
        "{model} 没有文本编码器，无法将图片与提示词比较。",
    )

    # ---- components
    reject = Template("{id}: {reason}", "{id}：{reason}")
    no_component_because = Template("No component found ({reasons}).", "没有找到组件（{reasons}）。")
    no_component = Template("No component found.", "没有找到组件。")
    give_components = Template(
        "Draw one, give a mask, boxes or JSON, or let the app propose some.",
        "请绘制，或提供掩码、方框、JSON，或让程序自动提出。",
    )
    component_too_small = Template(
        "{width} × {height} px is too small to show anything (from {limit} px a side)",
        "{width} × {height} 像素太小，看不出内容（每边至少 {limit} 像素）",
    )
    components_too_large = Template(
        "The components cover more than {limit:,} pixels in all.", "组件合计超过 {limit:,} 像素。"
    )
    give_fewer_components = Template("Give fewer components, or a smaller image.", "请减少组件，或使用较小的图片。")
    boxes_cut = Template(
        "{count:,} box(es) reach past the image and were cut at its edge.", "{count:,} 个方框超出图片，已在边缘截断。"
    )
    mask_stretched = Template(
        "The mask made for {old_width} × {old_height} px, resized to the image's {width} × {height}; the proportions "
        "differ, so look whether it fits.",
        "掩码原为 {old_width} × {old_height} 像素，已缩放到图片的 {width} × {height}；长宽比不同，请检查是否吻合。",
    )
    mask_resized = Template(
        "The mask made for {old_width} × {old_height} px, resized to the image's {width} × {height}.",
        "掩码原为 {old_width} × {old_height} 像素，已缩放到图片的 {width} × {height}。",
    )
    components_stretched = Template(
        "{count:,} component(s) made for {old_width} × {old_height} px, resized to the image's {width} × {height}; the "
        "proportions differ, so look whether it fits.",
        "{count:,} 个组件原为 {old_width} × {old_height} 像素，已缩放到图片的 {width} × {height}；长宽比不同，请检查是否吻合。",
    )
    components_resized = Template(
        "{count:,} component(s) made for {old_width} × {old_height} px, resized to the image's {width} × {height}.",
        "{count:,} 个组件原为 {old_width} × {old_height} 像素，已缩放到图片的 {width} × {height}。",
    )
    json_without_components = Template("This JSON holds no components.", "该 JSON 中没有组件。")
    give_annotations = Template(
        "Give COCO or SAM annotations, a list of components, or a list of boxes [x0, y0, x1, y1].",
        "请提供 COCO 或 SAM 标注、组件列表，或方框列表 [x0, y0, x1, y1]。",
    )
    components_too_many = Template(
        "{count:,} components are too many; {limit:,} are allowed.", "组件过多（{count:,} 个），最多允许 {limit:,} 个。"
    )
    json_too_long = Template("The JSON is longer than {limit} MiB.", "JSON 超过 {limit} MiB。")
    json_nested_too_deeply = Template("The JSON is nested too deeply.", "JSON 嵌套过深。")
    not_json = Template("This is not JSON: {error}.", "这不是 JSON：{error}。")
    coco_image_not_found = Template(
        "The COCO file has {count:,} images, and {named} of them is called {name!r}.",
        "COCO 文件中有 {count:,} 张图片，名为 {name!r} 的有 {named} 张。",
    )
    give_image_its_name = Template("Give the image under the name it has in the file.", "请使用图片在该文件中的名称。")
    annotations_of_several_images = Template(
        "These annotations belong to {count:,} images.", "这些标注属于 {count:,} 张图片。"
    )
    give_one_image = Template(
        "Give those of one image, or a COCO file that lists the images by name.",
        "请只提供一张图片的标注，或列有图片名称的 COCO 文件。",
    )
    component_kind = Template("a component is an object or a box, not {kind}", "组件应为对象或方框，而不是{kind}")
    mask_empty = Template("its mask is empty", "掩码为空")
    no_place = Template("it has neither `segmentation` nor `bbox`", "既没有 `segmentation` 也没有 `bbox`")
    not_four_numbers = Template("`{key}` is not four numbers", "`{key}` 不是四个数")
    number_endless = Template("`{key}` holds an endless number", "`{key}` 中有过大的数")
    number_not_finite = Template("`{key}` holds NaN or infinity", "`{key}` 中有 NaN 或无穷大")
    box_without_area = Template(
        "its box has no area ({width:g} × {height:g} px)", "方框没有面积（{width:g} × {height:g} 像素）"
    )
    box_outside = Template(
        "its box {x0:g}, {y0:g}, {x1:g}, {y1:g} lies outside the {width} × {height} image",
        "方框 {x0:g}, {y0:g}, {x1:g}, {y1:g} 在 {width} × {height} 的图片之外",
    )
    rle_size = Template("the RLE's size is not [height, width]", "RLE 的 size 不是 [高, 宽]")
    mask_array_kind = Template("its mask is {dtype} {shape}", "掩码为 {dtype} {shape}")
    soft_mask_range = Template("a soft mask has values from 0 to 1", "软掩码的取值须在 0 到 1 之间")
    segmentation_kind = Template("`segmentation` is {kind}", "`segmentation` 是{kind}")
    polygon_kind = Template("a polygon is a list of numbers x, y, x, y, …", "多边形应为数字列表 x, y, x, y, …")
    polygon_too_few_points = Template(
        "a polygon needs three points or more, x and y of each", "多边形至少需要三个点，每点含 x 与 y"
    )
    polygon_not_finite = Template("a polygon holds NaN or infinity", "多边形中有 NaN 或无穷大")
    polygon_outside = Template("a polygon reaches far outside the image", "多边形远超图片范围")
    polygons_too_long = Template("its polygons have an absurdly long outline", "多边形的轮廓过长")
    kind_number = Template("a number", "数字")
    kind_object = Template("an object", "对象")
    kind_list = Template("a list", "列表")
    kind_text = Template("text", "文本")
    kind_flag = Template("true or false", "布尔值")
    kind_null = Template("null", " null")
    rle_counts_values = Template("RLE counts must be whole numbers from 0", "RLE 的 counts 须为非负整数")
    rle_counts_kind = Template("RLE counts must be a list or a string", "RLE 的 counts 须为列表或字符串")
    rle_negative_run = Template("the RLE string is damaged (a negative run)", "RLE 字符串已损坏（游程为负）")
    rle_total = Template(
        "the RLE covers {total:,} pixels, its size {height} × {width} has others",
        "RLE 覆盖 {total:,} 个像素，与其 size {height} × {width} 不符",
    )
    rle_characters = Template("the RLE string holds characters that no RLE has", "RLE 字符串含有无效字符")
    rle_ends_early = Template("the RLE string ends in the middle of a number", "RLE 字符串在一个数的中间结束")
    rle_number_too_large = Template("the RLE string holds a number too large for any image", "RLE 字符串中的数过大")

    # ---- mask images
    mask_unreadable = Template("The mask cannot be read ({error}).", "无法读取掩码（{error}）。")
    mask_fractions = Template("The mask holds fractions, not labels.", "掩码中是小数，不是标签。")
    save_8_or_16_bit = Template("Save it as 8 or 16 bit.", "请另存为 8 位或 16 位。")
    mask_kind_unknown = Template("There is no kind of mask {name!r}.", "没有名为 {name!r} 的掩码类型。")
    mask_all_zero = Template("The mask is empty: every pixel is 0.", "掩码为空：所有像素都是 0。")
    paint_a_component = Template("Paint at least one component.", "请至少画出一个组件。")
    mask_soft = Template(
        "The mask has soft edges; pixels above half of the highest value count.",
        "掩码边缘是渐变的：高于最大值一半的像素计入。",
    )
    mask_not_labels = Template(
        "A mask is an image of labels; this is {dtype} {shape}.", "掩码应为标签图；此处为 {dtype} {shape}。"
    )
    mask_channels = Template(
        "A mask has 1, 3 or 4 channels; this one has {count}.", "掩码应有 1、3 或 4 个通道；此掩码有 {count} 个。"
    )
    mask_background = Template(
        "0 is not in the mask: its lower value {value} is background.", "掩码中没有 0：较小的值 {value} 视为背景。"
    )
    mask_too_many_colours = Template(
        "The mask has {count:,} different colours; {limit:,} are allowed.",
        "掩码有 {count:,} 种颜色，最多允许 {limit:,} 种。",
    )
    mask_too_many_values = Template(
        "The mask has {count:,} different values; {limit:,} are allowed.",
        "掩码有 {count:,} 种取值，最多允许 {limit:,} 种。",
    )
    save_as_png = Template(
        "Save label masks as PNG (JPEG blurs the labels), or read it as `binary`.",
        "标签掩码请存为 PNG（JPEG 会模糊标签），或按 `binary` 读取。",
    )
    components_left_out = Template(
        "{left_out:,} of {count:,} components were left out: the {kept:,} largest are kept (from {smallest} px).",
        "忽略了 {count:,} 个组件中的 {left_out:,} 个：保留最大的 {kept:,} 个（不小于 {smallest} 像素）。",
    )

    # ---- proposals
    proposal_settings = Template(
        "Proposals need work_px in 32..2048 and 2..5000 superpixels.",
        "自动提出组件要求 work_px 为 32..2048，超像素为 2..5000 个。",
    )
    proposed = Template("No components were given; {count:,} are proposed.", "没有给出组件，自动提出了 {count:,} 个。")
    proposals_small = Template(
        "{count:,} proposal(s) under {share:.1%} of the image left out.",
        "忽略了 {count:,} 个过小的候选（不足图片的 {share:.1%}）。",
    )
    proposals_double = Template(
        "{count:,} proposal(s) were found twice and count once.", "{count:,} 个候选重复，只计一次。"
    )
    proposals_by_colour = Template("Proposed by colour alone: there is no heat map.", "仅按颜色提出：没有热图。")

    # ---- prompts
    no_prompts = Template("There is no positive and no negative prompt.", "没有正面提示词，也没有负面提示词。")
    write_a_prompt = Template("Write at least one, or choose a preset.", "请至少写一个，或选择一个词表。")
    prompts_too_many = Template(
        "{count:,} prompts are too many; {limit:,} are allowed.", "提示词过多（{count:,} 个），最多允许 {limit:,} 个。"
    )
    prompt_not_text = Template(
        "A prompt is text; the {group} list holds {kind}.", "提示词须为文本；{group}列表中有 {kind}。"
    )
    prompt_too_long = Template(
        "A {group} prompt has {count:,} characters; {limit:,} are allowed.",
        "有一个{group}提示词长 {count:,} 个字符，最多允许 {limit:,} 个。",
    )
    one_prompt_per_line = Template(
        "One prompt per line; CLIP reads 77 tokens of it.", "每行一个提示词；CLIP 最多读取 77 个 token。"
    )
    prompts_empty = Template(
        "{count} empty {group} prompt(s) left out (place {places}).",
        "忽略了 {count} 个空的{group}提示词（位置 {places}）。",
    )
    prompts_repeated = Template(
        "Repeated {group} prompts count once: {prompts}.", "重复的{group}提示词只计一次：{prompts}。"
    )
    prompt_of_groups = Template("{prompt!r} ({groups})", "{prompt!r}（{groups}）")
    prompts_shared = Template(
        "In two groups at once, so pulling both ways: {prompts}.", "同时出现在两组中，两边都受影响：{prompts}。"
    )
    prompts_not_english = Template(
        "CLIP learned from English; these prompts will work less well: {prompts}.",
        "CLIP 主要从英文学习，这些提示词效果会差一些：{prompts}。",
    )
    group_empty = Template(
        "There are no {group} prompts, so {sum} is 0 for every component.",
        "没有{group}提示词，因此所有组件的 {sum} 都是 0。",
    )
    prompt_list_not_text = Template("A JSON list of prompts may hold text only.", "JSON 提示词列表中只能有文本。")
    prompt_file_unreadable = Template("The prompt file cannot be read: {error}", "无法读取提示词文件：{error}")
    one_prompt_per_line_utf8 = Template("One prompt per line, UTF-8.", "每行一个提示词，UTF-8 编码。")
    captions_too_many = Template(
        "{prompts:,} prompts × {templates} templates are more than {limit:,} captions.",
        "{prompts:,} 个提示词 × {templates} 个模板，超过 {limit:,} 条描述的上限。",
    )
    use_fewer_prompts = Template("Use fewer prompts or fewer templates.", "请减少提示词或模板。")
    preset_unknown = Template("There is no preset {name!r}.", "没有名为 {name!r} 的词表。")
    positive = Template("positive", "正面")
    negative = Template("negative", "负面")
    neutral = Template("neutral", "中性")

    # ---- treatments and scores
    treatment_unknown = Template("There is no treatment {name!r}.", "没有名为 {name!r} 的送入方式。")
    parameter_range = Template(
        "{name} must lie in {low}..{high}, not {value}.", "{name} 须在 {low}..{high} 之间，不能是 {value}。"
    )
    threshold_range = Template(
        "{name} must be a probability, 0..1, not {value}.", "{name} 须为 0..1 的概率，不能是 {value}。"
    )
    multiplier_range = Template(
        "{name} must be a number from 0, not {value}.", "{name} 须为不小于 0 的数，不能是 {value}。"
    )
    lists_unbalanced = Template(
        "{positive} positive against {negative} negative prompts: with no evidence at all p_pos_sum would be {p_pos:.2f} and the multiplier {multiplier:g}. The balanced mode takes this bias out.",
        "正面 {positive} 个对负面 {negative} 个提示词：即使毫无证据，p_pos_sum 也会是 {p_pos:.2f}，倍率 {multiplier:g}。“各组均衡”模式可消除这一偏差。",
    )
    branch_dead = Template(
        "Without neutral prompts the two sums add to 1, so the multiplier {multiplier:g} (ambiguous) cannot occur.",
        "没有中性提示词时两个和相加为 1，因此倍率 {multiplier:g}（难以判断）不会出现。",
    )
    no_outside = Template(
        "{count:,} component(s) fill their crop, so there is no outside to repaint.",
        "{count:,} 个组件占满了裁剪区域，没有可重绘的外部。",
    )
    fields_not_finite = Template(
        "{count:,} component(s) brought NaN or infinity, which JSON cannot say: written as null.",
        "{count:,} 个组件带有 NaN 或无穷大，JSON 无法表示，已写为 null。",
    )
    result_suffix = Template("Results are written as {suffix}, not {given!r}.", "结果写为 {suffix}，不支持 {given!r}。")

    # ---- heat map
    heat_out_of_memory = Template("Memory ran out while making the heat map.", "计算热图时内存不足。")
    choose_cpu = Template("Choose the CPU.", "请选择 CPU。")
    heat_needs_text = Template(
        "{model} has no text tower, so its patches cannot be compared with prompts.",
        "{model} 没有文本编码器，无法将图块与提示词比较。",
    )
    heat_needs_vit = Template(
        "{model} is not one of open_clip's ViTs: its architecture has no patch tokens to compare.",
        "{model} 不是 open_clip 的 ViT：其结构没有可比较的图块 token。",
    )
    heat_attention_pool = Template(
        "{model} pools by attention, so its patch tokens do not lie in the space of the texts.",
        "{model} 使用注意力池化，图块 token 与文本不在同一空间。",
    )
    heat_cosine_attention = Template(
        "{model} uses scaled cosine attention, which these methods do not describe.",
        "{model} 使用缩放余弦注意力，这些方法不适用。",
    )
    choose_vit = Template("Choose a ViT for the heat map.", "要显示热图，请选择 ViT。")

    # ---- evaluation against truth
    truth_without_lists = Template(
        "The truth has no lists `images` and `annotations`.", "真值文件中没有 `images` 与 `annotations` 列表。"
    )
    give_truth = Template(
        "Give COCO panoptic JSON, or COCO-like JSON whose annotations carry `foreground`.",
        "请提供 COCO 全景 JSON，或标注带有 `foreground` 的类 COCO JSON。",
    )
    panoptic_folder_missing = Template("The folder of panoptic PNGs is not there.", "找不到全景 PNG 的文件夹。")
    name_masks_folder = Template("Name it with --masks.", "请用 --masks 指定。")
    truth_unusable = Template(
        "None of the {count:,} images of the truth can be evaluated.", "真值文件中的 {count:,} 张图片都无法评估。"
    )
    check_images_folder = Template(
        "Check the images folder; file names are relative to it.", "请检查图片文件夹；文件名相对于它。"
    )
    images_missing = Template(
        "{count:,} image(s) are not in the folder ({names}).", "{count:,} 张图片不在文件夹中（{names}）。"
    )
    images_bare = Template("{count:,} image(s) have no segments ({names}).", "{count:,} 张图片没有分割（{names}）。")
    file_too_long = Template("The file is longer than {limit} MiB.", "文件超过 {limit} MiB。")
    truth_unreadable = Template("The truth cannot be read: {error}.", "无法读取真值文件：{error}。")
    truth_not_json = Template("The truth is not JSON.", "真值文件不是 JSON。")
    crowd = Template("a crowd is no single component", "人群不是单个组件")
    no_side = Template("nothing says whether it is foreground", "没有说明它是否为前景")
    panoptic_png_missing = Template("The panoptic PNG is missing.", "缺少全景 PNG。")
    panoptic_png_channels = Template("A panoptic PNG has three channels.", "全景 PNG 应有三个通道。")
    panoptic_resized = Template("{name}: resized to the image.", "{name}：已缩放到图片大小。")
    segment_without_pixel = Template("it has no pixel in the PNG", "PNG 中没有它的像素")
    category_without_side = Template("its category has no `isthing`", "其类别没有 `isthing`")
    segment_too_small = Template("{width} × {height} px", "{width} × {height} 像素")
    no_treatment = Template("Name at least one treatment.", "请至少指定一种送入方式。")
    nothing_scored_because = Template("No segment could be scored ({reasons}).", "没有可评分的分割（{reasons}）。")
    nothing_scored = Template("No segment could be scored.", "没有可评分的分割。")

    # ---- on the command line
    which_image = Template("Which image?", "哪张图片？")
    mask_or_components = Template("Give --mask or --components, not both.", "--mask 与 --components 只能提供其一。")
    extras_need_json = Template("--explain and --leak go into JSON.", "--explain 与 --leak 的结果写入 JSON。")
    add_json_output = Template("Add --output F.json or --json.", "请加上 --output F.json 或 --json。")
    components_file_too_long = Template("The JSON is too long.", "JSON 过长。")
    components_file_unreadable = Template("The components cannot be read: {error}.", "无法读取组件：{error}。")
    heat_map_unwritable = Template("The heat map cannot be written: {error}.", "无法写入热图：{error}。")
    evaluation_suffix = Template("An evaluation is written as .json.", "评估结果写为 .json。")
    limited = Template(
        "Only the first {limit:,} of {count:,} images, as asked.", "按要求只用 {count:,} 张图片中的前 {limit:,} 张。"
    )
    neither_file_nor_preset = Template("{given!r} is neither a file nor a preset.", "{given!r} 既不是文件也不是词表。")
    presets = Template("Presets: {names}.", "词表：{names}。")


GROUP_NAMES: dict[str, Template] = {"positive": Says.positive, "negative": Says.negative, "neutral": Says.neutral}
