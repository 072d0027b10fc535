"""The words of the Pose tab, both languages side by side."""

from __future__ import annotations

from core.messages import Template, Vocabulary
from webapp.text import register

register(
    {
        "tab_pose": ("Pose", "姿态"),
        # ---- inputs
        "pose_yaw": ("Yaw", "偏航 yaw"),
        "pose_pitch": ("Pitch", "俯仰 pitch"),
        "pose_roll": ("Roll", "翻滚 roll"),
        "pose_yaw_seen": ("from above", "俯视"),
        "pose_pitch_seen": ("from the side", "侧视"),
        "pose_roll_seen": ("from the front", "正视"),
        "pose_reset": ("Straight ahead", "回到正前方"),
        "pose_frame": (
            "As the viewer sees it: yaw > 0 turns the nose (red) to image right, pitch > 0 up, roll > 0 tips the top of "
            "the head to image right. Marks on a dial are the edges of the words' bins; the red dot is ±180. Drag the head "
            "to look from elsewhere.",
            "以观看者为准：yaw > 0 鼻子（红线）转向画面右侧，pitch > 0 抬头，roll > 0 头顶倒向画面右侧。"
            "表盘上的刻度是各词语区间的边界，红点为 ±180。拖动头部可换视角。",
        ),
        "pose_mode": ("Words", "描述方式"),
        "pose_mode_discrete": ("Discrete: one of 45", "离散：45 句之一"),
        "pose_mode_continuous": ("Continuous: the numbers", "连续：写出数值"),
        "pose_expression": ("Expression", "表情"),
        "pose_lighting": ("Light", "光照"),
        "pose_word_hint": ("none, or your own words", "无，或自行填写"),
        "pose_template": ("Around the caption", "句式模板"),
        "pose_model": ("Model", "模型"),
        "pose_advanced": ("Template and device", "句式与设备"),
        "pose_loading": ("Loading the model; the first time takes some seconds", "正在加载模型，首次需要几秒"),
        # ---- the pose in words
        "pose_head_description": (
            "A drawn head that turns with the dials; drag to look from elsewhere.",
            "随表盘转动的头部模型，可拖动换视角。",
        ),
        "pose_caption": ("Caption", "描述"),
        "pose_caption_number": ("caption {number} of 45", "45 句中的第 {number} 句"),
        "pose_caption_numbers": ("as many captions as tenths of a degree", "精确到 0.1 度，每个姿态一句"),
        "pose_same_caption": (
            "Every pose with yaw {yaw}, pitch {pitch} and roll {roll} has this caption.",
            "凡 yaw {yaw}、pitch {pitch}、roll {roll} 的姿态都是这一句。",
        ),
        "pose_loss": (
            "What the bins lose, as RMS error within them: yaw 8.7° (13° between 45 and 90), level gaze 11.5°, "
            "upright 5.8°.",
            "分档的损失（档内均方根误差）：yaw 8.7°（45–90 之间为 13°），level gaze 11.5°，upright 5.8°。",
        ),
        "pose_wrapped": (
            "{name} {given} is beyond ±180: wrapped to {used}.",
            "{name} {given} 超出 ±180，已换算为 {used}。",
        ),
        # ---- the vector
        "pose_embedding": ("Embedding of the caption", "描述的文本向量"),
        "pose_embedding_empty": ("The embedding appears here once a pose is chosen.", "选定姿态后在此显示向量。"),
        "pose_embedding_description": ("The {dim} values of the caption's embedding.", "文本向量的 {dim} 个数值。"),
        "pose_value": ("value", "数值"),
        "pose_dimension": ("dimension", "维度"),
        "pose_dim": ("Dimensions", "维数"),
        "pose_mean": ("Mean", "均值"),
        "pose_std": ("Std", "标准差"),
        "pose_range": ("Least, most", "最小、最大"),
        "pose_norm": ("Length", "长度"),
        "pose_took": ("Text tower", "文本编码器耗时"),
        "pose_first": ("First ten values", "前十个数值"),
        "pose_download": ("Download", "下载"),
        # ---- q, k, v
        "pose_qkv": ("Projected to queries, keys and values", "投影到 Q、K、V"),
        "pose_encoder": ("Pose encoder", "姿态编码器"),
        "pose_qkv_note": (
            "{name}: {about}. {parameters:,} parameters, untrained (seed 0): the picture shows how a pose enters the "
            "transformer, not what training makes of it. Lengths: q {q:.2f}, k {k:.2f}, v {v:.2f}.",
            "{name}：{about}。{parameters:,} 个参数，未经训练（种子 0）：图中是姿态进入 Transformer 的方式，而非训练结果。"
            "长度：q {q:.2f}，k {k:.2f}，v {v:.2f}。",
        ),
        "pose_qkv_description": (
            "Three rows of 512 values, added to queries, keys and values.",
            "三行各 512 个数值，分别加到 Q、K、V 上。",
        ),
        "pose_encoder_clip_uncached": (
            "clip without its table: every caption through the text tower",
            "不用查表的 clip：每句都经文本编码器",
        ),
        # ---- the map
        "pose_map": ("Similarity to this pose, over yaw and pitch", "与该姿态的相似度（yaw × pitch）"),
        "pose_map_hint": (
            "Cosine with this pose's caption, at its roll. Lines are the bins' edges: where the colour jumps, so does the "
            "text. A click takes the dials there.",
            "与该姿态描述的余弦（roll 不变）。线条是区间边界：颜色突变处，文本也突变。点击可把表盘转到那里。",
        ),
        "pose_map_description": (
            "Cosine similarity of the captions of other yaws and pitches to this pose's.",
            "其他 yaw、pitch 的描述与该姿态描述的余弦相似度。",
        ),
        "pose_cosine": ("cosine", "余弦"),
        # ---- zero-shot
        "pose_photo": ("From a picture of a head: which caption fits?", "由头部图片判断：哪句描述最符合？"),
        "pose_photo_image": ("Head: drop, paste or click", "头部图片：拖入、粘贴或点击"),
        "pose_photo_examples": ("Or try", "或试用"),
        "pose_photo_rendered": ("The drawn head at this pose", "该姿态下的头部模型"),
        "pose_photo_hint": (
            "Nothing is trained for this: CLIP compares the picture with all 45 captions. Crop it to the head.",
            "无需训练：CLIP 将图片与全部 45 句比较。请裁剪到头部。",
        ),
        "pose_photo_empty": ("The 45 captions, ranked, appear here.", "45 句的排名显示在此。"),
        "pose_templates_all": ("All six templates, averaged", "六种句式取平均"),
        "pose_photo_template": ("Captions dressed as", "描述的句式"),
        "pose_photo_best": ("Best of 45", "最符合"),
        "pose_photo_rank": ("Rank", "排名"),
        "pose_photo_probability": ("Probability", "概率"),
        "pose_photo_facts": (
            "{model}, {seconds:.2f} s; temperature 1/{scale:.0f}",
            "{model}，{seconds:.2f} 秒；温度 1/{scale:.0f}",
        ),
        "pose_photo_take": ("Take the dials there", "把表盘转到那里"),
        # ---- audit
        "pose_audit": ("Pose-space audit: what each encoder makes of angles", "姿态空间检查：各编码器如何对待角度"),
        "pose_audit_run": ("Run the audit", "开始检查"),
        "pose_audit_empty": (
            "Compares nine encoders and the cost of CLIP without a cache; takes some seconds.",
            "比较九种编码器，以及不带缓存的 CLIP 的代价；需要几秒。",
        ),
        "pose_audit_progress": ("Looking at {name}", "正在检查 {name}"),
        "pose_audit_encoder": ("Encoder", "编码器"),
        "pose_audit_rank": ("Order kept", "次序保持"),
        "pose_audit_rank_info": (
            "Spearman, over {pairs:,} pairs of poses: angle between them against distance of their embeddings. 1: kept.",
            "{pairs:,} 对姿态的斯皮尔曼相关：夹角与向量距离。1 表示完全保持。",
        ),
        "pose_audit_distinct": ("Different", "互异"),
        "pose_audit_distinct_info": (
            "How many embeddings {poses} different poses have, and the widest angle between two that share one.",
            "{poses} 个不同姿态有多少种向量，以及共用同一向量的两姿态的最大夹角。",
        ),
        "pose_audit_step": ("Largest jump", "最大跳变"),
        "pose_audit_step_info": (
            "What a quarter of a degree can do at most, as a part of the mean distance of two poses.",
            "四分之一度最多引起的变化，以两姿态的平均距离为单位。",
        ),
        "pose_audit_tears": ("Tear at ±180: yaw, pitch, roll", "±180 处的断裂：yaw、pitch、roll"),
        "pose_audit_tears_info": (
            "Distance across ±180, in the same unit; the two poses are half a degree apart. 0: none.",
            "跨 ±180 的距离（单位同上）；两姿态实际只差半度。0 表示没有断裂。",
        ),
        "pose_audit_ms": ("ms per 1,000", "每千个毫秒"),
        "pose_audit_ms_info": (
            "Milliseconds for 1,000 poses on this machine, projection included; slow ones are scaled from {timed}.",
            "本机处理 1,000 个姿态的毫秒数，含投影；较慢者由 {timed} 个换算。",
        ),
        "pose_audit_note": (
            "Encoders as they start, before training, with equal parameters; figures from {poses} poses within ±90, ±60, "
            "±45 degrees. Times vary with what else the machine does.",
            "均为训练前的初始状态，参数量相等；取 ±90、±60、±45 度内的 {poses} 个姿态。耗时会随机器负载波动。",
        ),
        # ---- file
        "pose_file": ("Many poses: a CSV", "批量姿态：CSV"),
        "pose_file_drop": ("CSV with the columns yaw, pitch, roll", "含 yaw、pitch、roll 列的 CSV"),
        "pose_file_hint": (
            "Words and model as chosen on the left. Rows that cannot be used stay in the output with their problem.",
            "描述方式与模型以左侧为准。无法使用的行会保留在输出中并注明原因。",
        ),
        "pose_file_format": ("Write", "输出格式"),
        "pose_file_npz": (".npz: each caption's vector once", ".npz：每句向量只存一次"),
        "pose_file_csv": (".csv: vector in each row", ".csv：每行带向量"),
        "pose_file_parquet": (".parquet: vector in each row", ".parquet：每行带向量"),
        "pose_file_run": ("Encode the file", "编码文件"),
        "pose_file_stopped": ("Stopped; nothing was written.", "已停止，没有写出文件。"),
        "pose_file_waiting": ("Waiting for others' work", "等待其他任务"),
        "pose_file_stage": ("Reading and encoding", "读取并编码"),
        "pose_file_count": ("{done:,} rows of about {total:,}", "{done:,} 行，共约 {total:,} 行"),
        "pose_file_rows": ("Rows", "行数"),
        "pose_file_unusable": ("{count:,} not usable", "{count:,} 行无法使用"),
        "pose_file_captions": ("Different captions", "互异描述"),
        "pose_file_vectors": ("Vectors", "向量"),
        "pose_file_download": ("Download {name}", "下载 {name}"),
        "pose_file_first": ("First rows", "前几行"),
        "pose_file_line": ("Line", "行号"),
        "pose_file_rejects": ("Rows that could not be used: {count:,}", "无法使用的行：{count:,}"),
    }
)


class Says(Vocabulary, package="page.pose"):
    """Errors."""

    angle_empty = Template("{angle} is empty.", "{angle}为空。")
    angle_no_number = Template("{angle} is not a number: {value!r}.", "{angle}不是数字：{value!r}。")
    give_angle = Template("Give an angle in degrees.", "请给出以度为单位的角度。")
    no_such_encoder = Template("There is no encoder {name!r}.", "没有名为 {name!r} 的编码器。")
    no_such_example = Template("There is no such example.", "没有该示例。")
    no_model = Template("No CLIP model is here.", "这里还没有 CLIP 模型。")
    nothing_yet = Template("There is no embedding yet.", "还没有向量。")
    turn_dial = Template("Turn a dial first.", "请先转动表盘。")
    no_file = Template("There is no file.", "还没有文件。")
    drop_csv = Template("Drop a CSV first.", "请先拖入 CSV。")
