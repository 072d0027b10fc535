"""The words of the Vectorize tab, both languages side by side."""

from core.messages import Template, Vocabulary
from webapp.text import register

register(
    {
        "tab_vectorize": ("Vectorize", "向量化"),
        # ---- inputs
        "vectorize_drop": ("Photos or a zip", "照片或 zip 压缩包"),
        "vectorize_examples": ("Try the examples", "试用示例"),
        "vectorize_models": ("Models", "模型"),
        "vectorize_advanced": ("Advanced", "高级选项"),
        "vectorize_batch_size": ("Batch size", "批大小"),
        "vectorize_batch_size_info": (
            "Images per forward pass. Halved by itself when memory runs out.",
            "每次前向计算的图片数；内存不足时自动减半。",
        ),
        "vectorize_dtype": ("Number type", "数值类型"),
        "vectorize_dtype_info": (
            "fp32 follows the reference libraries exactly; auto takes bf16 where this machine has it.",
            "fp32 与参考库完全一致；auto 在硬件支持时使用 bf16。",
        ),
        "vectorize_normalize": ("Make each model's vector unit length", "将每个模型的向量归一化为单位长度"),
        "vectorize_run": ("Vectorize", "开始向量化"),
        # ---- before, during, after
        "vectorize_empty_title": ("Vectors appear here", "结果将显示在这里"),
        "vectorize_empty_1": (
            "Drop photos or a zip on the left, or press “Try the examples”.",
            "在左侧放入照片或 zip，或点击“试用示例”。",
        ),
        "vectorize_empty_2": (
            "Pick one model, or several: their vectors are joined in the order you pick them.",
            "选择一个或多个模型：向量按选择的顺序拼接。",
        ),
        "vectorize_empty_3": (
            "Press “Vectorize”: similarities, a map, search and files to download.",
            "点击“开始向量化”，即可查看相似度、分布图，搜索并下载文件。",
        ),
        "vectorize_stage_wait": ("Waiting for its turn", "排队中"),
        "vectorize_stage_read": ("Reading the files", "读取文件"),
        "vectorize_stage_load": ("Loading the models", "加载模型"),
        "vectorize_stage_vectorize": ("Vectorizing", "向量化"),
        "vectorize_stage_thumbnails": ("Preparing the pictures", "准备缩略图"),
        "vectorize_progress_count": ("{done} of {total}", "{done} / {total}"),
        "vectorize_progress_speed": ("{speed} images/s", "每秒 {speed} 张"),
        "vectorize_progress_left": ("{time} left", "剩余 {time}"),
        "vectorize_stopped": (
            "Stopped after {done} of {total} images. Nothing was kept.",
            "已停止：完成 {done} / {total} 张，未保留结果。",
        ),
        "vectorize_stopped_early": ("Stopped. Nothing was kept.", "已停止，未保留结果。"),
        "vectorize_no_rows": ("None of the files could be vectorized.", "没有任何文件可以向量化。"),
        # ---- results
        "vectorize_images_short": ("Images", "图片"),
        "vectorize_dimensions": ("Dimensions", "维度"),
        "vectorize_speed": ("Images / s", "张 / 秒"),
        "vectorize_ran_on": ("Ran on", "运行于"),
        "vectorize_compute": ("Relative compute", "相对计算量"),
        "vectorize_compute_info": ("first model = 1×", "首个模型 = 1×"),
        "vectorize_loading": ("Loading", "加载"),
        "vectorize_loaded_before": ("in memory before", "此前已在内存中"),
        "vectorize_took": ("in {time}", "用时 {time}"),
        "vectorize_none_rejected": ("none rejected", "全部成功"),
        "vectorize_some_rejected": ("{count} rejected", "{count} 个被拒"),
        "vectorize_rejects_title": ("{count} files gave no vector", "{count} 个文件未得到向量"),
        "vectorize_reject_title": ("1 file gave no vector", "1 个文件未得到向量"),
        "vectorize_limit_heatmap": (
            "The heatmap shows the first {limit} of {count:,} images; the files for download hold all.",
            "热图仅显示前 {limit} 张（共 {count} 张）；下载文件包含全部。",
        ),
        "vectorize_limit_tsne": (
            "t-SNE runs on the first {limit:,} of {count:,} images.",
            "t-SNE 仅计算前 {limit} 张（共 {count} 张）。",
        ),
        "vectorize_heatmap": ("Similarity", "相似度"),
        "vectorize_together": ("Group similar images", "相似图片相邻"),
        "vectorize_map": ("Map", "分布图"),
        "vectorize_pca_shares": (
            "The two axes hold {x} and {y} of the variance of the unit vectors.",
            "两轴分别占单位向量方差的 {x} 与 {y}。",
        ),
        "vectorize_tsne_note": (
            "t-SNE keeps neighbours together; distances between groups mean little.",
            "t-SNE 保持邻近关系；组与组之间的距离意义不大。",
        ),
        "vectorize_tsne_few": (
            "t-SNE needs at least {count} images; there are {have}. PCA is shown.",
            "t-SNE 至少需要 {count} 张图片，现有 {have} 张；显示 PCA。",
        ),
        "vectorize_cosine": ("cosine", "余弦"),
        "vectorize_heatmap_description": (
            "Heatmap of the cosine similarity of {count} images, each with each.",
            "{count} 张图片两两余弦相似度的热图。",
        ),
        "vectorize_map_description": (
            "Map of {count} images; images with similar vectors lie close together.",
            "{count} 张图片的分布图；向量相近的图片彼此靠近。",
        ),
        "vectorize_table": ("Vectors", "向量"),
        "vectorize_column_id": ("image", "图片"),
        "vectorize_column_dim": ("dim", "维度"),
        "vectorize_column_mean": ("mean", "均值"),
        "vectorize_column_std": ("std", "标准差"),
        "vectorize_column_norm": ("norm", "模长"),
        "vectorize_column_ms": ("ms", "毫秒"),
        "vectorize_report": ("Report", "报告"),
        "vectorize_report_model": ("model", "模型"),
        "vectorize_report_span": ("columns", "列"),
        "vectorize_report_load": ("load", "加载"),
        "vectorize_report_encode": ("encode", "计算"),
        "vectorize_report_total": ("Total", "合计"),
        "vectorize_report_shape": ("Shape", "形状"),
        "vectorize_report_time": ("Time", "耗时"),
        "vectorize_report_mean": ("Mean", "均值"),
        "vectorize_report_std": ("Std", "标准差"),
        "vectorize_report_norm": ("Norm", "模长"),
        "vectorize_report_first": ("First {count} values", "前 {count} 个值"),
        # ---- search
        "vectorize_search": ("Search these images", "在这些图片中搜索"),
        "vectorize_search_id": ("Like one of them", "与其中一张相似"),
        "vectorize_search_upload": ("Like another image …", "与另一张图片相似…"),
        "vectorize_search_words": ("By words", "用文字搜索"),
        "vectorize_search_placeholder": ("a red flower", "a red flower（英文效果最佳）"),
        "vectorize_search_model": ("Read by", "由此模型理解"),
        "vectorize_search_go": ("Search", "搜索"),
        "vectorize_search_no_text": (
            "{models} has no text tower, so words cannot be compared. Run again with a CLIP model to search by words.",
            "{models} 没有文本编码器，无法用文字搜索。请改用 CLIP 模型重新运行。",
        ),
        "vectorize_search_like": ("Nearest to {query}, by cosine", "与 {query} 最接近（余弦）"),
        "vectorize_search_for": ("Nearest to “{query}”, by cosine", "与“{query}”最接近（余弦）"),
        "vectorize_search_shown": ("{shown} of {count} shown", "显示 {shown} / {count}"),
        "vectorize_search_again": ("Search by this image", "以此图搜索"),
        # ---- download
        "vectorize_download": ("Download", "下载"),
        # ---- benchmark
        "vectorize_bench": ("Model benchmark", "模型基准测试"),
        "vectorize_bench_intro": (
            "Speed of the picked models on this machine, from random images without decoding; a few seconds a row.",
            "用随机图片（不含解码）测量所选模型在本机的速度；每行约需几秒。",
        ),
        "vectorize_bench_run": ("Measure", "测量"),
        "vectorize_bench_running": ("Measuring {model} in {dtype} …", "正在测量 {model}（{dtype}）…"),
        "vectorize_bench_speed": ("images/s", "张/秒"),
        "vectorize_bench_load": ("load", "加载"),
        "vectorize_bench_memory": ("memory", "内存"),
        "vectorize_bench_dtype": ("type", "类型"),
    }
)


class Says(Vocabulary, package="page.vectorize"):
    """Errors."""

    no_model = Template("No model is picked.", "尚未选择模型。")
    tick_one = Template("Tick at least one in the table of models.", "请在模型表中至少勾选一个。")
    vectorize_again = Template("Vectorize again.", "请重新运行。")
    no_such_image = Template("This image is not in the result.", "结果中没有这张图片。")
    no_words = Template("There are no words to search by.", "请输入要搜索的文字。")
    nothing_to_measure = Template("Pick at least one model and one number type.", "请至少选择一个模型和一种数值类型。")
    models_as_list = Template(
        "`models` is a list of model ids, or one string with commas.",
        "`models` 须为模型 id 的列表，或以逗号分隔的字符串。",
    )
    batch_size_whole_number = Template("`batch_size` is a whole number.", "`batch_size` 须为整数。")
