"""What every tab says, in both languages."""

from core.messages import Template, Vocabulary
from webapp.text import register

register(
    {
        # ---- errors
        "error_error": ("That did not work", "操作未成功"),
        "error_input": ("This cannot be used", "无法使用该输入"),
        "error_image": ("This image cannot be used", "无法使用这张图片"),
        "error_unknown_model": ("Unknown model", "未知模型"),
        "error_weights_missing": ("The model's weights are not here yet", "本机还没有该模型的权重"),
        "error_weights_invalid": (
            "The weight file is damaged or belongs to another model",
            "权重文件已损坏，或属于另一个模型",
        ),
        "error_package_missing": ("A package is missing", "缺少软件包"),
        "error_network": ("The network does not answer", "网络无响应"),
        "error_device": ("This machine has no such device", "本机没有该设备"),
        "error_out_of_memory": ("Memory ran out", "内存不足"),
        "error_budget": ("These models do not fit into memory together", "这些模型无法同时放入内存"),
        "error_unsupported": ("This model cannot do that", "该模型不支持此操作"),
        "error_passport": ("These vectors cannot be compared", "这些向量不可比较"),
        "error_store": ("The vector file cannot be used", "无法使用该向量文件"),
        "error_cancelled": ("Stopped", "已停止"),
        "error_next": ("Next: {step}", "下一步：{step}"),
        "error_internal": ("Something went wrong inside the app", "程序内部出错"),
        "error_internal_detail": (
            "The details are in the log of the server, under {number}. Your files are untouched.",
            "详情见服务器日志，编号 {number}。您的文件没有改动。",
        ),
        "stop": ("Stop", "停止"),
        "device": ("Device", "设备"),
        # ---- tables
        "table_copy": ("Copy table", "复制表格"),
        "table_copied": ("Copied", "已复制"),
        # ---- what should be known about a result
        "notices_title": ("Good to know", "须知"),
        "limits_title": ("Shown in part", "部分显示"),
        "rejects_more": ("and {count:,} more", "另有 {count:,} 个"),
        "reject_empty": ("Empty", "空文件"),
        "reject_not_an_image": ("Not an image", "不是图片"),
        "reject_truncated": ("Cut short", "不完整"),
        "reject_too_large": ("Too large", "过大"),
        "reject_unsupported": ("Not supported", "不支持"),
        "reject_unreadable": ("Unreadable", "无法读取"),
        "reject_archive": ("Archive", "压缩包无法使用"),
        # ---- the table of models
        "picker_model": ("model", "模型"),
        "picker_dim": ("dim", "维度"),
        "picker_input": ("px", "像素"),
        "picker_params": ("params", "参数量"),
        "picker_text": ("text search", "支持文字搜索"),
        "picker_custom": ("Custom", "自定义"),
        "picker_none": ("Pick at least one model.", "请至少选择一个模型。"),
        "picker_one": ("{dim} dimensions", "{dim} 维"),
        "picker_several": ("Ensemble, in this order: {dims} = {dim} dimensions", "按此顺序组合：{dims} = {dim} 维"),
        "picker_away": ("{count} more, weights not here yet", "另有 {count} 个，权重尚未下载"),
        "picker_away_hint": (
            "Run a model's command in the project's folder; it appears above when you come back.",
            "在项目目录运行相应命令；返回本页后，模型会出现在上方。",
        ),
        "picker_copy": ("Copy", "复制"),
        "picker_copied": ("Copied", "已复制"),
        "picker_fetch_size": ("{size} to fetch", "需下载 {size}"),
    }
)


class KitSays(Vocabulary, package="page.kit"):
    """Errors."""

    result_gone = Template("There is no result in this window any more.", "此窗口中已没有结果。")
    no_clip = Template("No CLIP model's weights are here yet.", "本机还没有任何 CLIP 模型的权重。")
    no_row = Template("There is no row {row}.", "没有第 {row} 行。")
    no_images = Template("There are no images.", "没有图片。")
    too_many_images = Template("More than {limit:,} images at once.", "一次超过 {limit:,} 张图片。")
    drop_photos = Template("Drop photos or a zip, or try the examples.", "请放入照片或 zip，或试用示例。")
    give_at_most = Template(
        "Give at most {limit:,}; the command line takes any number.", "请最多提供 {limit:,} 张；命令行不限数量。"
    )
    no_format = Template("There is no format {suffix!r}.", "没有 {suffix!r} 这种格式。")
