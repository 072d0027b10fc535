"""The words of the Foreground tab, both languages side by side."""

from core.messages import Template, Vocabulary
from webapp.text import register

register(
    {
        "tab_foreground": ("Foreground", "前景"),
        # ---- inputs
        "foreground_image": ("Photo: drop, paste or click", "照片：拖入、粘贴或点击"),
        "foreground_examples": ("Or try", "或试用"),
        "foreground_components_from": ("Components", "组件来源"),
        "foreground_from_auto": ("Automatic", "自动"),
        "foreground_from_draw": ("Draw", "绘制"),
        "foreground_from_file": ("Mask or JSON", "掩码或 JSON"),
        "foreground_from_boxes": ("Boxes", "方框"),
        "foreground_auto_hint": (
            "Regions of like colour, and what the model's heat map takes for foreground.",
            "按颜色相近的区域，以及模型热图认为是前景的部分。",
        ),
        "foreground_pad_brush": ("Brush", "画笔"),
        "foreground_pad_box": ("Box", "方框"),
        "foreground_pad_eraser": ("Eraser", "橡皮"),
        "foreground_pad_size": ("Width", "粗细"),
        "foreground_pad_undo": ("Undo", "撤销"),
        "foreground_pad_clear": ("Clear", "清空"),
        "foreground_pad_empty": ("Choose a photo above, then draw on it.", "请先在上方选择照片，再在其上绘制。"),
        "foreground_file": (
            "Mask image, COCO or SAM JSON, boxes as JSON",
            "掩码图片、COCO 或 SAM JSON、方框 JSON",
        ),
        "foreground_boxes": ("One box per line: x0, y0, x1, y1 in pixels", "每行一个方框：x0, y0, x1, y1（像素）"),
        "foreground_lists": ("Prompts, one per line", "提示词（每行一个）"),
        "foreground_positive": ("Positive: objects", "正面：物体"),
        "foreground_negative": ("Negative: background, fragments", "负面：背景、碎片"),
        "foreground_neutral": ("Neutral: in neither sum", "中性：不计入任何一方"),
        "foreground_presets": ("Lists", "词表"),
        "foreground_counts": (
            "{positive} positive · {negative} negative · {neutral} neutral",
            "正面 {positive} · 负面 {negative} · 中性 {neutral}",
        ),
        "foreground_model": ("Model", "模型"),
        "foreground_treatment": ("Shown to the model as", "送入模型的方式"),
        "foreground_treatment_original": ("Original: grey outside", "原始：外部变灰"),
        "foreground_treatment_raw_crop": ("Raw crop", "原样裁剪"),
        "foreground_treatment_soft_mask": ("Soft mask", "柔和掩码"),
        "foreground_treatment_blur_background": ("Blurred outside", "外部模糊"),
        "foreground_mode": ("Mode", "模式"),
        "foreground_mode_note": ("Softmax over all prompts", "对全部提示词做 softmax"),
        "foreground_mode_balanced": ("Balanced groups", "各组均衡"),
        "foreground_mode_cosine": ("Cosine view (old way)", "余弦视图（旧方法）"),
        "foreground_advanced": ("Thresholds and more", "阈值与更多选项"),
        "foreground_negative_above": ("Background if p_neg_sum is above", "p_neg_sum 高于此值为背景"),
        "foreground_positive_above": ("Foreground if p_pos_sum is above", "p_pos_sum 高于此值为前景"),
        "foreground_negative_below": ("… and p_neg_sum below", "…且 p_neg_sum 低于"),
        "foreground_likely_above": ("Likely if p_pos_sum is above", "p_pos_sum 高于此值为可能"),
        "foreground_templates": ("Templates", "模板"),
        "foreground_templates_none": ("None: the prompt itself", "无：直接使用提示词"),
        "foreground_templates_one": ("One: a photo of …", "一个：a photo of …"),
        "foreground_templates_simple": ("OpenAI's 7, averaged", "OpenAI 的 7 个，取平均"),
        "foreground_templates_full": ("OpenAI's 80, averaged", "OpenAI 的 80 个，取平均"),
        "foreground_margin": ("Margin around the crop", "裁剪边距"),
        "foreground_alpha": ("Soft mask: α", "柔和掩码：α"),
        "foreground_grey": ("Grey outside", "外部灰度"),
        "foreground_gain": ("Gain inside", "内部增益"),
        "foreground_blur": ("Blurred outside: sigma, of the crop's shorter side", "外部模糊：σ（占裁剪短边的比例）"),
        "foreground_run": ("Score", "开始评分"),
        "foreground_instant": (
            "After a first run, changed prompts, modes and thresholds show at once.",
            "首次评分后，修改提示词、模式或阈值会立即生效。",
        ),
        # ---- before, during, instead
        "foreground_empty_title": ("Scores appear here", "评分将显示在这里"),
        "foreground_empty_1": (
            "Drop or paste a photo on the left, or press one of the small ones.",
            "在左侧拖入或粘贴照片，或点击一张示例。",
        ),
        "foreground_empty_2": (
            "Let components be found, or draw them, or give a mask, JSON or boxes.",
            "自动寻找组件，或自己绘制，或提供掩码、JSON、方框。",
        ),
        "foreground_empty_3": (
            "Press “Score”: which parts are objects, which are background, and why.",
            "点击“开始评分”：哪些是物体、哪些是背景，以及原因。",
        ),
        "foreground_stage_wait": ("Waiting for its turn", "排队中"),
        "foreground_stage_read": ("Reading the photo", "读取照片"),
        "foreground_stage_heat": ("Loading the model, making the heat map", "加载模型，计算热图"),
        "foreground_stage_propose": ("Looking for components", "寻找组件"),
        "foreground_stage_components": ("Scoring the components", "为组件评分"),
        "foreground_progress_count": ("{done} of {total}", "{done} / {total}"),
        "foreground_stopped": ("Stopped. Nothing was kept.", "已停止，未保留结果。"),
        # ---- results
        "foreground_components": ("Components", "组件"),
        "foreground_rejected": ("{count} rejected", "{count} 个被拒"),
        "foreground_encoded": ("Through the image tower", "经过图像编码器"),
        "foreground_from_memory": ("{count} from memory", "{count} 个取自缓存"),
        "foreground_seconds": ("Time", "用时"),
        "foreground_prompts": ("Prompts", "提示词"),
        "foreground_prompts_order": ("positive · negative · neutral", "正面 · 负面 · 中性"),
        "foreground_shown_as": ("Shown as", "送入方式"),
        "foreground_ran_on": ("Ran on", "运行于"),
        "foreground_download": ("Download", "下载"),
        "foreground_download_image": ("annotated .png", "标注图 .png"),
        "foreground_scene": ("Components by multiplier", "按倍率着色的组件"),
        "foreground_show_boxes": ("Boxes", "方框"),
        "foreground_show_outlines": ("Outlines", "轮廓"),
        "foreground_heat": ("Heat map", "热图"),
        "foreground_heat_method": ("Heat map by", "热图方法"),
        "foreground_box_name": (
            "{id}: ×{multiplier}, p_pos_sum {p}",
            "{id}：×{multiplier}，p_pos_sum {p}",
        ),
        "foreground_level_foreground": ("foreground", "前景"),
        "foreground_level_likely": ("likely", "可能"),
        "foreground_level_ambiguous": ("ambiguous", "难以判断"),
        "foreground_level_background": ("background or fragment", "背景或碎片"),
        "foreground_dead": ("cannot occur without neutral prompts", "没有中性提示词时不会出现"),
        "foreground_table": ("Every field", "全部字段"),
        "foreground_column_reweighted": ("score × mult.", "分数×倍率"),
        "foreground_one": ("Chosen component", "所选组件"),
        "foreground_seen": ("As the model saw it.", "模型看到的样子。"),
        "foreground_seen_alt": ("What the model saw", "模型看到的图像"),
        "foreground_facts": (
            "{width} × {height} px · p_pos_sum {pos} · p_neg_sum {neg}",
            "{width} × {height} 像素 · p_pos_sum {pos} · p_neg_sum {neg}",
        ),
        "foreground_prompt": ("prompt", "提示词"),
        "foreground_probability": ("probability", "概率"),
        "foreground_share": ("share", "贡献"),
        "foreground_share_info": (
            "Share: what a prompt adds to p_pos_sum (Shapley value; 0.5 + all shares = the score).",
            "贡献：该提示词对 p_pos_sum 的增减（Shapley 值；0.5 加全部贡献即为得分）。",
        ),
        "foreground_changes": ("What would change it", "怎样会改变结果"),
        "foreground_change": ("Without “{prompt}”, {id} becomes ×{value}.", "去掉“{prompt}”后，{id} 变为 ×{value}。"),
        "foreground_changes_none": (
            "No single prompt decides: without any one of them it stays ×{multiplier}.",
            "没有哪个提示词单独起决定作用：去掉任意一个仍为 ×{multiplier}。",
        ),
        "foreground_changes_more": ("… and {count} more prompts.", "…另有 {count} 个提示词。"),
        "foreground_treatments": ("Treatments side by side", "各种送入方式对比"),
        "foreground_used": ("used", "当前"),
        "foreground_leak_hint": (
            "How far each score moves when all outside the mask is repainted. “Original” hides the outside: always 0.",
            "重新涂抹掩码以外的一切，看各得分变化多少。“原始”会遮住外部，因此总是 0。",
        ),
        "foreground_leak_measure": ("Measure mask leak", "测量掩码泄漏"),
        "foreground_leak_moved": ("outside moves it by {by}", "外部使其变化 {by}"),
        "foreground_leak_becomes": ("becomes {values}", "变为 {values}"),
        "foreground_leak_no_outside": (
            "This component fills its crop, so there is no outside to repaint. A margin shows more of it.",
            "该组件填满了裁剪框，没有可重涂的外部。增大裁剪边距可包含外部。",
        ),
        "foreground_limit_boxes": (
            "The picture shows the {limit} best ranked of {count:,} components.",
            "图中显示排名前 {limit} 的组件（共 {count:,} 个）。",
        ),
        "foreground_limit_rows": (
            "The table shows the {limit:,} best ranked of {count:,} components; the downloads hold all.",
            "表格显示排名前 {limit:,} 的组件（共 {count:,} 个）；下载文件包含全部。",
        ),
        "foreground_cosine_note": (
            "Cosine view: the table starts with raw cosines, the old way. They carry no temperature, so a margin of 0.01 "
            "may be near certainty; multipliers still follow the softmax.",
            "余弦视图：表格以原始余弦（旧方法）开头。它不含温度，0.01 的差距也可能几乎确定；倍率仍按 softmax 计算。",
        ),
        "foreground_reject_title": ("1 component was not scored", "1 个组件未评分"),
        "foreground_rejects_title": ("{count} components were not scored", "{count} 个组件未评分"),
    }
)


class Says(Vocabulary, package="page.foreground"):
    """Errors and their next steps."""

    # ---- the page
    no_photo = Template("There is no photo.", "还没有照片。")
    give_photo = Template("Drop one, paste one, or press an example.", "请拖入、粘贴或点击示例。")
    no_file = Template("There is no mask and no JSON.", "没有掩码，也没有 JSON。")
    upload_file = Template("Upload one, or choose another source of components.", "请上传，或改选其他组件来源。")
    fetch_one = Template(
        "Run “{command}” in the project's folder, then load this page anew.",
        "请在项目目录运行“{command}”，然后重新载入本页。",
    )
    score_again = Template("Score again.", "请重新评分。")

    # ---- what is given
    no_boxes = Template("There are no boxes.", "没有方框。")
    write_boxes = Template(
        "Write x0, y0, x1, y1 in pixels, one box per line.", "请以像素写出 x0, y0, x1, y1，每行一个方框。"
    )
    not_a_box = Template("Line {number} is not a box: {line!r}.", "第 {number} 行不是方框：{line!r}。")
    write_a_box = Template("Write x0, y0, x1, y1 in pixels.", "请以像素写出 x0, y0, x1, y1。")
    file_too_long = Template("The file is too long.", "文件过长。")
    drawing_unreadable = Template("The drawing cannot be read.", "无法读取绘制内容。")
    draw_again = Template("Clear it and draw again.", "请清空后重新绘制。")
    nothing_drawn = Template("Nothing is drawn.", "还没有绘制任何内容。")
    draw_something = Template(
        "Paint over a part of the photo, or draw a box around it.", "请涂抹照片的一部分，或画框将其围住。"
    )

    # ---- the endpoint
    no_image = Template("There is no image.", "没有图片。")
    give_image = Template("Give one as `image`.", "请通过 `image` 提供。")
    prompts_kind = Template(
        "`{group}` is a list of prompts, a preset's name, or null.", "`{group}` 须为提示词列表、词表名称或 null。"
    )
    mask_or_components = Template("Give `mask` or `components`, not both.", "`mask` 与 `components` 只能提供其一。")
    numbers_kind = Template(
        "`{name}` is an object of numbers by name, or null.", "`{name}` 须为按名称给出数值的对象，或 null。"
    )
    known_names = Template("Names: {names}.", "可用名称：{names}。")
