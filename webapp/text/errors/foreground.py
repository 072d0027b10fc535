"""`core.foreground`: masks and components, prompts, scoring."""

SENTENCES: dict[str, str] = {
    "demo_clip is the small built-in model: it knows drawings, not photos. For photos fetch a real CLIP.": (
        "demo_clip 是内置小模型：认识图画，不认识照片。处理照片请下载真正的 CLIP。"
    ),
    # ---- masks and components
    "The mask made for {width} × {height} px, resized to the image's {new_width} × {new_height}.": (
        "掩码原为 {width} × {height} 像素，已缩放到图片的 {new_width} × {new_height}。"
    ),
    "The mask made for {width} × {height} px, resized to the image's {new_width} × {new_height}; the proportions "
    "differ, so look whether it fits.": (
        "掩码原为 {width} × {height} 像素，已缩放到图片的 {new_width} × {new_height}；长宽比不同，请检查是否吻合。"
    ),
    "{count} component(s) made for {width} × {height} px, resized to the image's {new_width} × {new_height}.": (
        "{count} 个组件原为 {width} × {height} 像素，已缩放到图片的 {new_width} × {new_height}。"
    ),
    "{count} component(s) made for {width} × {height} px, resized to the image's {new_width} × {new_height}; the "
    "proportions differ, so look whether it fits.": (
        "{count} 个组件原为 {width} × {height} 像素，已缩放到图片的 {new_width} × {new_height}；长宽比不同，"
        "请检查是否吻合。"
    ),
    "No component found.": "没有找到组件。",
    "No component found ({reasons}).": "没有找到组件（{reasons:reasons}）。",
    "Draw one, give a mask, boxes or JSON, or let the app propose some.": (
        "请绘制，或提供掩码、方框、JSON，或让程序自动提出。"
    ),
    "The mask holds fractions, not labels.": "掩码中是小数，不是标签。",
    "Save it as 8 or 16 bit.": "请另存为 8 位或 16 位。",
    "There is no kind of mask {name}.": "没有名为 {name} 的掩码类型。",
    "A mask is an image of labels; this is {dtype} {shape}.": "掩码应为标签图；此处为 {dtype} {shape}。",
    "A mask has 1, 3 or 4 channels; this one has {count}.": "掩码应有 1、3 或 4 个通道；此掩码有 {count} 个。",
    "This JSON holds no components.": "该 JSON 中没有组件。",
    "Give COCO or SAM annotations, a list of components, or a list of boxes [x0, y0, x1, y1].": (
        "请提供 COCO 或 SAM 标注、组件列表，或方框列表 [x0, y0, x1, y1]。"
    ),
    "{count} components are too many; {limit} are allowed.": "组件过多（{count} 个），最多允许 {limit} 个。",
    "The JSON is longer than {limit} MiB.": "JSON 超过 {limit} MiB。",
    "The mask cannot be read ({error}).": "无法读取掩码（{error:words}）。",
    "The mask is empty: every pixel is 0.": "掩码为空：所有像素都是 0。",
    "Paint at least one component.": "请至少画出一个组件。",
    "The mask has soft edges; pixels above half of the highest value count.": (
        "掩码边缘是渐变的：高于最大值一半的像素计入。"
    ),
    "The mask has {count} different colours; {limit} are allowed.": "掩码有 {count} 种颜色，最多允许 {limit} 种。",
    "The mask has {count} different values; {limit} are allowed.": "掩码有 {count} 种取值，最多允许 {limit} 种。",
    "Save label masks as PNG (JPEG blurs the labels), or read it as `binary`.": (
        "标签掩码请存为 PNG（JPEG 会模糊标签），或按 `binary` 读取。"
    ),
    "{left_out} of {count} components were left out: the {kept} largest are kept (from {smallest} px).": (
        "忽略了 {count} 个组件中的 {left_out} 个：保留最大的 {kept} 个（不小于 {smallest} 像素）。"
    ),
    "The JSON is nested too deeply.": "JSON 嵌套过深。",
    "This is not JSON: {error}.": "这不是 JSON：{error:words}。",
    "The COCO file has {count} images, and {named} of them is called {name}.": (
        "COCO 文件中有 {count} 张图片，名为 {name} 的有 {named} 张。"
    ),
    "Give the image under the name it has in the file.": "请使用图片在该文件中的名称。",
    "These annotations belong to {count} images.": "这些标注属于 {count} 张图片。",
    "Give those of one image, or a COCO file that lists the images by name.": (
        "请只提供一张图片的标注，或列有图片名称的 COCO 文件。"
    ),
    "The components cover more than {limit} pixels in all.": "组件合计超过 {limit} 像素。",
    "Give fewer components, or a smaller image.": "请减少组件，或使用较小的图片。",
    "0 is not in the mask: its lower value {value} is background.": "掩码中没有 0：较小的值 {value} 视为背景。",
    "{count} box(es) reach past the image and were cut at its edge.": "{count} 个方框超出图片，已在边缘截断。",
    # ---- why a component was left out
    "{width} × {height} px is too small to show anything (from {limit} px a side)": (
        "{width} × {height} 像素太小，看不出内容（每边至少 {limit} 像素）"
    ),
    "a component is an object or a box, not {kind}": "组件应为对象或方框，而不是{kind:words}",
    "its mask is empty": "掩码为空",
    "it has neither `segmentation` nor `bbox`": "既没有 `segmentation` 也没有 `bbox`",
    "`{key}` is not four numbers": "`{key}` 不是四个数",
    "`{key}` holds an endless number": "`{key}` 中有过大的数",
    "`{key}` holds NaN or infinity": "`{key}` 中有 NaN 或无穷大",
    "its box has no area ({width} × {height} px)": "方框没有面积（{width} × {height} 像素）",
    "its box {box} lies outside the {width} × {height} image": "方框 {box} 在 {width} × {height} 的图片之外",
    "the RLE's size is not [height, width]": "RLE 的 size 不是 [高, 宽]",
    "RLE counts must be whole numbers from 0": "RLE 的 counts 须为非负整数",
    "RLE counts must be a list or a string": "RLE 的 counts 须为列表或字符串",
    "the RLE string is damaged (a negative run)": "RLE 字符串已损坏（游程为负）",
    "the RLE covers {total} pixels, its size {height} × {width} has others": (
        "RLE 覆盖 {total} 个像素，与其 size {height} × {width} 不符"
    ),
    "the RLE string holds characters that no RLE has": "RLE 字符串含有无效字符",
    "the RLE string ends in the middle of a number": "RLE 字符串在一个数的中间结束",
    "the RLE string holds a number too large for any image": "RLE 字符串中的数过大",
    "its mask is {dtype} {shape}": "掩码为 {dtype} {shape}",
    "a soft mask has values from 0 to 1": "软掩码的取值须在 0 到 1 之间",
    "`segmentation` is {kind}": "`segmentation` 是{kind:words}",
    "a polygon is a list of numbers x, y, x, y, …": "多边形应为数字列表 x, y, x, y, …",
    "a polygon needs three points or more, x and y of each": "多边形至少需要三个点，每点含 x 与 y",
    "a polygon holds NaN or infinity": "多边形中有 NaN 或无穷大",
    "a polygon reaches far outside the image": "多边形远超图片范围",
    "its polygons have an absurdly long outline": "多边形的轮廓过长",
    # ---- settings
    "The margin must lie in 0..2, not {value}.": "边距须在 0..2 之间，不能是 {value}。",
    "There is no mode {name}.": "没有名为 {name} 的模式。",
    "There are no templates {name}.": "没有名为 {name} 的模板。",
    "There is no treatment {name}.": "没有名为 {name} 的送入方式。",
    "There is no heat map method {name}.": "没有名为 {name} 的热图方法。",
    "The batch size must be a whole number from 1 to 4096, not {value}.": (
        "批大小须为 1 到 4096 的整数，不能是 {value}。"
    ),
    "{name} must be a number from 0, not {value}.": "{name} 须为不小于 0 的数，不能是 {value}。",
    "{name} must be a probability, 0..1, not {value}.": "{name} 须为 0..1 的概率，不能是 {value}。",
    "{name} must lie in {low}..{high}, not {value}.": "{name} 须在 {low}..{high} 之间，不能是 {value}。",
    "Proposals need work_px in 32..2048 and 2..5000 superpixels.": (
        "自动提出组件要求 work_px 为 32..2048，超像素为 2..5000 个。"
    ),
    # ---- prompts
    "There is no preset {name}.": "没有名为 {name} 的词表。",
    "There is no positive and no negative prompt.": "没有正面提示词，也没有负面提示词。",
    "Write at least one, or choose a preset.": "请至少写一个，或选择一个词表。",
    "{count} prompts are too many; {limit} are allowed.": "提示词过多（{count} 个），最多允许 {limit} 个。",
    "In two groups at once, so pulling both ways: {prompts}.": "同时出现在两组中，两边都受影响：{prompts}。",
    "{prompts} prompts × {templates} templates are more than {limit} captions.": (
        "{prompts} 个提示词 × {templates} 个模板，超过 {limit} 条描述的上限。"
    ),
    "Use fewer prompts or fewer templates.": "请减少提示词或模板。",
    "CLIP learned from English; these prompts will work less well: {prompts}.": (
        "CLIP 主要从英文学习，这些提示词效果会差一些：{prompts}。"
    ),
    "The prompt file cannot be read: {error}": "无法读取提示词文件：{error:words}",
    "One prompt per line, UTF-8.": "每行一个提示词，UTF-8 编码。",
    "A prompt is text; the {group} list holds {kind}.": "提示词须为文本；{group:words}列表中有 {kind}。",
    "A {group} prompt has {count} characters; {limit} are allowed.": (
        "有一个{group:words}提示词长 {count} 个字符，最多允许 {limit} 个。"
    ),
    "One prompt per line; CLIP reads 77 tokens of it.": "每行一个提示词；CLIP 最多读取 77 个 token。",
    "{count} empty {group} prompt(s) left out (place {places}).": (
        "忽略了 {count} 个空的{group:words}提示词（位置 {places}）。"
    ),
    "Repeated {group} prompts count once: {prompts}.": "重复的{group:words}提示词只计一次：{prompts}。",
    "There are no {group} prompts, so {sum} is 0 for every component.": (
        "没有{group:words}提示词，因此所有组件的 {sum} 都是 0。"
    ),
    "A JSON list of prompts may hold text only.": "JSON 提示词列表中只能有文本。",
    # ---- proposals
    "No components were given; {count} are proposed.": "没有给出组件，自动提出了 {count} 个。",
    "{count} proposal(s) under {share} of the image left out.": "忽略了 {count} 个过小的候选（不足图片的 {share}）。",
    "{count} proposal(s) were found twice and count once.": "{count} 个候选重复，只计一次。",
    "Proposed by colour alone: there is no heat map.": "仅按颜色提出：没有热图。",
    # ---- scores and heat map
    "{positive} positive against {negative} negative prompts: with no evidence at all p_pos_sum would be {p_pos} and "
    "the multiplier {multiplier}. The balanced mode takes this bias out.": (
        "正面 {positive} 个对负面 {negative} 个提示词：即使毫无证据，p_pos_sum 也会是 {p_pos}，倍率 {multiplier}。"
        "“各组均衡”模式可消除这一偏差。"
    ),
    "Without neutral prompts the two sums add to 1, so the multiplier {multiplier} (ambiguous) cannot occur.": (
        "没有中性提示词时两个和相加为 1，因此倍率 {multiplier}（难以判断）不会出现。"
    ),
    "{model} has no text tower, so it cannot compare images with prompts.": (
        "{model} 没有文本编码器，无法将图片与提示词比较。"
    ),
    "{model} has no text tower, so its patches cannot be compared with prompts.": (
        "{model} 没有文本编码器，无法将图块与提示词比较。"
    ),
    "{model} is not one of open_clip's ViTs: its architecture has no patch tokens to compare.": (
        "{model} 不是 open_clip 的 ViT：其结构没有可比较的图块 token。"
    ),
    "{model} pools by attention, so its patch tokens do not lie in the space of the texts.": (
        "{model} 使用注意力池化，图块 token 与文本不在同一空间。"
    ),
    "{model} uses scaled cosine attention, which these methods do not describe.": (
        "{model} 使用缩放余弦注意力，这些方法不适用。"
    ),
    "Choose a ViT for the heat map.": "要显示热图，请选择 ViT。",
    "Memory ran out while making the heat map.": "计算热图时内存不足。",
    "Choose the CPU.": "请选择 CPU。",
    "{count} component(s) fill their crop, so there is no outside to repaint.": (
        "{count} 个组件占满了裁剪区域，没有可重绘的外部。"
    ),
    "The components brought fields of these names; see NAME_given: {names}.": (
        "组件自带同名字段，已另存为 NAME_given：{names}。"
    ),
    "{count} component(s) are longer than 16 : 1; the model is shown their middle.": (
        "{count} 个组件的长宽比超过 16 : 1，模型只看到中间部分。"
    ),
    # ---- files
    "Results are written as {suffix}, not {given}.": "结果写为 {suffix}，不支持 {given}。",
    "Results are written as {suffix} or {other}, not {given}.": "结果可写为 {suffix} 或 {other}，不支持 {given}。",
    "{count} component(s) brought NaN or infinity, which JSON cannot say: written as null.": (
        "{count} 个组件带有 NaN 或无穷大，JSON 无法表示，已写为 null。"
    ),
}
