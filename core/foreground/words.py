"""What `core.foreground` says: English and Chinese side by side."""

from __future__ import annotations

from ..messages import Template, Vocabulary


class Says(Vocabulary, package="foreground"):
    json_holds_no_components = Template("This JSON holds no components.", "该 JSON 中没有组件。")
    components_too_many_allowed = Template(
        "{count:,} components are too many; {limit:,} are allowed.", "组件过多（{count:,} 个），最多允许 {limit:,} 个。"
    )
    json_longer_than_mib = Template("The JSON is longer than {limit} MiB.", "JSON 超过 {limit} MiB。")
    mask_empty = Template("its mask is empty", "掩码为空")
    neither_segmentation_nor_bbox = Template(
        "it has neither `segmentation` nor `bbox`", "既没有 `segmentation` 也没有 `bbox`"
    )
    not_four_numbers = Template("`{key}` is not four numbers", "`{key}` 不是四个数")
    holds_nan_infinity = Template("`{key}` holds NaN or infinity", "`{key}` 中有 NaN 或无穷大")
    box_no_area_px = Template(
        "its box has no area ({width:g} × {height:g} px)", "方框没有面积（{width:g} × {height:g} 像素）"
    )
    rle_size_not_height_width = Template("the RLE's size is not [height, width]", "RLE 的 size 不是 [高, 宽]")
    segmentation = Template("`segmentation` is {kind}", "`segmentation` 是{kind}")
    give_coco_sam_annotations_list = Template(
        "Give COCO or SAM annotations, a list of components, or a list of boxes [x0, y0, x1, y1].",
        "请提供 COCO 或 SAM 标注、组件列表，或方框列表 [x0, y0, x1, y1]。",
    )
    json_nested_too_deeply = Template("The JSON is nested too deeply.", "JSON 嵌套过深。")
    not_json = Template("This is not JSON: {error}.", "这不是 JSON：{error}。")
    coco_file_images_them_called = Template(
        "The COCO file has {count:,} images, and {named} of them is called {name!r}.",
        "COCO 文件中有 {count:,} 张图片，名为 {name!r} 的有 {named} 张。",
    )
    annotations_belong_images = Template(
        "These annotations belong to {count:,} images.", "这些标注属于 {count:,} 张图片。"
    )
    holds_endless_number = Template("`{key}` holds an endless number", "`{key}` 中有过大的数")
    mask = Template("its mask is {dtype} {shape}", "掩码为 {dtype} {shape}")
    soft_mask_values_0_1 = Template("a soft mask has values from 0 to 1", "软掩码的取值须在 0 到 1 之间")
    polygon_needs_three_points_more = Template(
        "a polygon needs three points or more, x and y of each", "多边形至少需要三个点，每点含 x 与 y"
    )
    polygon_holds_nan_infinity = Template("a polygon holds NaN or infinity", "多边形中有 NaN 或无穷大")
    polygon_reaches_far_outside_image = Template("a polygon reaches far outside the image", "多边形远超图片范围")
    polygons_absurdly_long_outline = Template("its polygons have an absurdly long outline", "多边形的轮廓过长")
    give_image_under_name_file = Template(
        "Give the image under the name it has in the file.", "请使用图片在该文件中的名称。"
    )
    give_one_image_coco_file = Template(
        "Give those of one image, or a COCO file that lists the images by name.",
        "请只提供一张图片的标注，或列有图片名称的 COCO 文件。",
    )
    component_object_box_not = Template(
        "a component is an object or a box, not {kind}", "组件应为对象或方框，而不是{kind}"
    )
    polygon_list_numbers_x_y = Template(
        "a polygon is a list of numbers x, y, x, y, …", "多边形应为数字列表 x, y, x, y, …"
    )
    draw_one_give_mask_boxes = Template(
        "Draw one, give a mask, boxes or JSON, or let the app propose some.",
        "请绘制，或提供掩码、方框、JSON，或让程序自动提出。",
    )
    px_too_small_show_anything = Template(
        "{width} × {height} px is too small to show anything (from {limit} px a side)",
        "{width} × {height} 像素太小，看不出内容（每边至少 {limit} 像素）",
    )
    components_cover_more_than_pixels = Template(
        "The components cover more than {limit:,} pixels in all.", "组件合计超过 {limit:,} 像素。"
    )
    give_fewer_components_smaller_image = Template(
        "Give fewer components, or a smaller image.", "请减少组件，或使用较小的图片。"
    )
    box_es_reach_past_image = Template(
        "{count:,} box(es) reach past the image and were cut at its edge.", "{count:,} 个方框超出图片，已在边缘截断。"
    )
    component_s_brought_nan_infinity = Template(
        "{count:,} component(s) brought NaN or infinity, which JSON cannot say: written as null.",
        "{count:,} 个组件带有 NaN 或无穷大，JSON 无法表示，已写为 null。",
    )
    results_written_not = Template(
        "Results are written as {suffix}, not {given!r}.", "结果写为 {suffix}，不支持 {given!r}。"
    )
    no_text_tower_so_patches = Template(
        "{model} has no text tower, so its patches cannot be compared with prompts.",
        "{model} 没有文本编码器，无法将图块与提示词比较。",
    )
    not_one_open_clip_vits = Template(
        "{model} is not one of open_clip's ViTs: its architecture has no patch tokens to compare.",
        "{model} 不是 open_clip 的 ViT：其结构没有可比较的图块 token。",
    )
    pools_attention_so_patch_tokens = Template(
        "{model} pools by attention, so its patch tokens do not lie in the space of the texts.",
        "{model} 使用注意力池化，图块 token 与文本不在同一空间。",
    )
    uses_scaled_cosine_attention_which = Template(
        "{model} uses scaled cosine attention, which these methods do not describe.",
        "{model} 使用缩放余弦注意力，这些方法不适用。",
    )
    there_no_heat_map_method = Template("There is no heat map method {name!r}.", "没有名为 {name!r} 的热图方法。")
    choose_vit_heat_map = Template("Choose a ViT for the heat map.", "要显示热图，请选择 ViT。")
    memory_ran_out_while_making = Template("Memory ran out while making the heat map.", "计算热图时内存不足。")
    choose_cpu = Template("Choose the CPU.", "请选择 CPU。")
    component_s_fill_their_crop = Template(
        "{count:,} component(s) fill their crop, so there is no outside to repaint.",
        "{count:,} 个组件占满了裁剪区域，没有可重绘的外部。",
    )
    mask_holds_fractions_not_labels = Template("The mask holds fractions, not labels.", "掩码中是小数，不是标签。")
    there_no_kind_mask = Template("There is no kind of mask {name!r}.", "没有名为 {name!r} 的掩码类型。")
    mask_image_labels = Template(
        "A mask is an image of labels; this is {dtype} {shape}.", "掩码应为标签图；此处为 {dtype} {shape}。"
    )
    mask_1_3_4_channels = Template(
        "A mask has 1, 3 or 4 channels; this one has {count}.", "掩码应有 1、3 或 4 个通道；此掩码有 {count} 个。"
    )
    mask_cannot_read = Template("The mask cannot be read ({error}).", "无法读取掩码（{error}）。")
    save_8_16_bit = Template("Save it as 8 or 16 bit.", "请另存为 8 位或 16 位。")
    mask_empty_every_pixel_0 = Template("The mask is empty: every pixel is 0.", "掩码为空：所有像素都是 0。")
    mask_soft_edges_pixels_above = Template(
        "The mask has soft edges; pixels above half of the highest value count.",
        "掩码边缘是渐变的：高于最大值一半的像素计入。",
    )
    components_left_out_largest_kept = Template(
        "{left_out:,} of {count:,} components were left out: the {kept:,} largest are kept (from {smallest} px).",
        "忽略了 {count:,} 个组件中的 {left_out:,} 个：保留最大的 {kept:,} 个（不小于 {smallest} 像素）。",
    )
    paint_least_one_component = Template("Paint at least one component.", "请至少画出一个组件。")
    n_0_not_mask_lower_value = Template(
        "0 is not in the mask: its lower value {value} is background.", "掩码中没有 0：较小的值 {value} 视为背景。"
    )
    save_label_masks_png_jpeg = Template(
        "Save label masks as PNG (JPEG blurs the labels), or read it as `binary`.",
        "标签掩码请存为 PNG（JPEG 会模糊标签），或按 `binary` 读取。",
    )
    rle_string_damaged_negative_run = Template(
        "the RLE string is damaged (a negative run)", "RLE 字符串已损坏（游程为负）"
    )
    rle_covers_pixels_size_others = Template(
        "the RLE covers {total:,} pixels, its size {height} × {width} has others",
        "RLE 覆盖 {total:,} 个像素，与其 size {height} × {width} 不符",
    )
    rle_string_holds_characters_no = Template(
        "the RLE string holds characters that no RLE has", "RLE 字符串含有无效字符"
    )
    rle_string_ends_middle_number = Template(
        "the RLE string ends in the middle of a number", "RLE 字符串在一个数的中间结束"
    )
    rle_string_holds_number_too = Template(
        "the RLE string holds a number too large for any image", "RLE 字符串中的数过大"
    )
    rle_counts_must_list_string = Template("RLE counts must be a list or a string", "RLE 的 counts 须为列表或字符串")
    rle_counts_must_whole_numbers = Template("RLE counts must be whole numbers from 0", "RLE 的 counts 须为非负整数")
    demo_clip_small_built_model = Template(
        "demo_clip is the small built-in model: it knows drawings, not photos. For photos fetch a real CLIP.",
        "demo_clip 是内置小模型：认识图画，不认识照片。处理照片请下载真正的 CLIP。",
    )
    no_text_tower_so_cannot = Template(
        "{model} has no text tower, so it cannot compare images with prompts.",
        "{model} 没有文本编码器，无法将图片与提示词比较。",
    )
    margin_must_lie_0_2 = Template("The margin must lie in 0..2, not {value}.", "边距须在 0..2 之间，不能是 {value}。")
    there_no_mode = Template("There is no mode {name!r}.", "没有名为 {name!r} 的模式。")
    there_no_templates = Template("There are no templates {name!r}.", "没有名为 {name!r} 的模板。")
    batch_size_must_whole_number = Template(
        "The batch size must be a whole number from 1 to 4096, not {value}.",
        "批大小须为 1 到 4096 的整数，不能是 {value}。",
    )
    components_brought_fields_names_see = Template(
        "The components brought fields of these names; see NAME_given: {names}.",
        "组件自带同名字段，已另存为 NAME_given：{names}。",
    )
    component_s_longer_than_16 = Template(
        "{count:,} component(s) are longer than 16 : 1; the model is shown their middle.",
        "{count:,} 个组件的长宽比超过 16 : 1，模型只看到中间部分。",
    )
    there_no_preset = Template("There is no preset {name!r}.", "没有名为 {name!r} 的词表。")
    there_no_positive_no_negative = Template(
        "There is no positive and no negative prompt.", "没有正面提示词，也没有负面提示词。"
    )
    prompts_too_many_allowed = Template(
        "{count:,} prompts are too many; {limit:,} are allowed.", "提示词过多（{count:,} 个），最多允许 {limit:,} 个。"
    )
    two_groups_once_so_pulling = Template(
        "In two groups at once, so pulling both ways: {prompts}.", "同时出现在两组中，两边都受影响：{prompts}。"
    )
    prompts_templates_more_than_captions = Template(
        "{prompts:,} prompts × {templates} templates are more than {limit:,} captions.",
        "{prompts:,} 个提示词 × {templates} 个模板，超过 {limit:,} 条描述的上限。",
    )
    write_least_one_choose_preset = Template(
        "Write at least one, or choose a preset.", "请至少写一个，或选择一个词表。"
    )
    prompt_file_cannot_read = Template("The prompt file cannot be read: {error}", "无法读取提示词文件：{error}")
    use_fewer_prompts_fewer_templates = Template("Use fewer prompts or fewer templates.", "请减少提示词或模板。")
    prompt_text_list_holds = Template(
        "A prompt is text; the {group} list holds {kind}.", "提示词须为文本；{group}列表中有 {kind}。"
    )
    prompt_characters_allowed = Template(
        "A {group} prompt has {count:,} characters; {limit:,} are allowed.",
        "有一个{group}提示词长 {count:,} 个字符，最多允许 {limit:,} 个。",
    )
    empty_prompt_s_left_out = Template(
        "{count} empty {group} prompt(s) left out (place {places}).",
        "忽略了 {count} 个空的{group}提示词（位置 {places}）。",
    )
    repeated_prompts_count_once = Template(
        "Repeated {group} prompts count once: {prompts}.", "重复的{group}提示词只计一次：{prompts}。"
    )
    json_list_prompts_may_hold = Template("A JSON list of prompts may hold text only.", "JSON 提示词列表中只能有文本。")
    one_prompt_per_line_utf = Template("One prompt per line, UTF-8.", "每行一个提示词，UTF-8 编码。")
    one_prompt_per_line_clip = Template(
        "One prompt per line; CLIP reads 77 tokens of it.", "每行一个提示词；CLIP 最多读取 77 个 token。"
    )
    no_components_given_proposed = Template(
        "No components were given; {count:,} are proposed.", "没有给出组件，自动提出了 {count:,} 个。"
    )
    proposals_need_work_px_32 = Template(
        "Proposals need work_px in 32..2048 and 2..5000 superpixels.",
        "自动提出组件要求 work_px 为 32..2048，超像素为 2..5000 个。",
    )
    proposal_s_under_image_left = Template(
        "{count:,} proposal(s) under {share:.1%} of the image left out.",
        "忽略了 {count:,} 个过小的候选（不足图片的 {share:.1%}）。",
    )
    proposal_s_found_twice_count = Template(
        "{count:,} proposal(s) were found twice and count once.", "{count:,} 个候选重复，只计一次。"
    )
    proposed_colour_alone_there_no = Template(
        "Proposed by colour alone: there is no heat map.", "仅按颜色提出：没有热图。"
    )
    positive_against_negative_prompts_no = Template(
        "{positive} positive against {negative} negative prompts: with no evidence at all p_pos_sum would be {p_pos:.2f} and the multiplier {multiplier:g}. The balanced mode takes this bias out.",
        "正面 {positive} 个对负面 {negative} 个提示词：即使毫无证据，p_pos_sum 也会是 {p_pos:.2f}，倍率 {multiplier:g}。“各组均衡”模式可消除这一偏差。",
    )
    without_neutral_prompts_two_sums = Template(
        "Without neutral prompts the two sums add to 1, so the multiplier {multiplier:g} (ambiguous) cannot occur.",
        "没有中性提示词时两个和相加为 1，因此倍率 {multiplier:g}（难以判断）不会出现。",
    )
    there_no_treatment = Template("There is no treatment {name!r}.", "没有名为 {name!r} 的送入方式。")
    must_lie_not = Template(
        "{name} must lie in {low}..{high}, not {value}.", "{name} 须在 {low}..{high} 之间，不能是 {value}。"
    )
