"""The words of the Runs tab, both languages side by side. Keys begin with their section."""

from core.messages import Template, Vocabulary
from webapp.text import register

register(
    {
        "tab_runs": ("Runs", "训练"),
        # ---- what to look at
        "runs_folder": ("Experiment or folder", "实验或文件夹"),
        "runs_committed": ("{name} (comes with the project)", "{name}（项目自带）"),
        "runs_upload": ("Your own logs …", "上传日志…"),
        "runs_uploaded": ("Your upload (only you see it)", "您上传的日志（仅您可见）"),
        "runs_upload_took": (
            "Runs in your upload: {count}. Only you see them, and only in this window.",
            "上传中有 {count} 次训练。仅您在此窗口可见。",
        ),
        "runs_upload_none": (
            "No runs in your upload. Give CSV, JSONL, TensorBoard event files, or a zip of them.",
            "上传中没有可读的训练记录。支持 CSV、JSONL、TensorBoard 事件文件或其 zip。",
        ),
        "runs_live": ("Live", "实时"),
        "runs_paused": ("Paused", "已暂停"),
        "runs_link": ("Copy link", "复制链接"),
        "runs_copied": ("Link copied", "链接已复制"),
        "runs_link_missing": (
            "The link names what is not here: {names}. The rest is shown.",
            "链接中有此处不存在的内容：{names}。其余照常显示。",
        ),
        "runs_link_upload": (
            "The link shows an upload, which only its sender sees. The runs of this server are shown instead.",
            "链接指向他人上传的日志，仅上传者可见。现显示本服务器的训练记录。",
        ),
        "runs_empty_title": ("No runs yet", "还没有训练记录"),
        "runs_empty_1": (
            "Train with the project's recorder (below), and the folder appears here by itself.",
            "用本项目的记录器训练（见下），记录会自动出现在这里。",
        ),
        "runs_empty_2": (
            "Or start the app with --runs_dir and the folder that your training writes to.",
            "或在启动时用 --runs_dir 指定训练写入的文件夹。",
        ),
        "runs_empty_3": (
            "Or upload CSV, JSONL or TensorBoard files with the button above.",
            "或点击上方按钮上传 CSV、JSONL 或 TensorBoard 文件。",
        ),
        # ---- choices of the verdict
        "runs_group": ("Compare by", "按此分组"),
        "runs_metric": ("Metric", "指标"),
        "runs_baseline": ("Baseline", "基线"),
        "runs_automatic": ("automatic", "自动"),
        "runs_more": ("How it is judged", "判断方式"),
        "runs_select": ("Checkpoint chosen by", "按此选择检查点"),
        "runs_at": ("Checkpoint", "检查点"),
        "runs_at_best": ("best", "最佳"),
        "runs_at_last": ("last", "最后"),
        "runs_direction": ("Better is", "更优方向"),
        "runs_direction_auto": ("told from the name", "由名称判断"),
        "runs_direction_min": ("lower", "越低越好"),
        "runs_direction_max": ("higher", "越高越好"),
        "runs_duplicates": ("Several runs of one seed", "同一种子有多次训练"),
        "runs_duplicates_latest": ("latest", "最后一次"),
        "runs_duplicates_first": ("first", "第一次"),
        "runs_duplicates_mean": ("mean", "平均值"),
        "runs_duplicates_refuse": ("no verdict", "不下结论"),
        # ---- verdict
        "runs_verdict": ("Verdict", "结论"),
        "runs_lower_better": ("lower is better", "越低越好"),
        "runs_higher_better": ("higher is better", "越高越好"),
        "runs_chosen_by": ("checkpoint chosen by {metric}", "检查点由 {metric} 选出"),
        "runs_chosen_last": ("at the last step", "取最后一步"),
        "runs_is_better": ("better", "更好"),
        "runs_is_worse": ("worse", "更差"),
        "runs_is_no_difference_shown": ("no difference shown", "未见差异"),
        "runs_is_refused": ("no verdict", "无法判断"),
        "runs_sentence_better": (
            "{arm} is better than {baseline} by {size} in {metric}.",
            "{arm} 优于 {baseline}，{metric} 相差 {size}。",
        ),
        "runs_sentence_worse": (
            "{arm} is worse than {baseline} by {size} in {metric}.",
            "{arm} 不如 {baseline}，{metric} 相差 {size}。",
        ),
        "runs_sentence_no_difference_shown": (
            "No difference is shown between {arm} and {baseline} in {metric}: {size} may be chance.",
            "{arm} 与 {baseline} 在 {metric} 上未见差异：{size} 可能只是偶然。",
        ),
        "runs_sentence_out_of_reach": (
            "No difference can be shown yet between {arm} and {baseline} in {metric}: {size} was seen, with too few seeds.",
            "目前还无法证实 {arm} 与 {baseline} 在 {metric} 上的差异：观察到 {size}，但种子太少。",
        ),
        "runs_out_of_reach": (
            "{pairs} and {arms} arms compared allow no p below {least}",
            "{pairs}、{arms} 组比较时，p 不可能低于 {least}",
        ),
        "runs_sentence_refused": (
            "No verdict on {arm} against {baseline} in {metric}.",
            "无法判断 {arm} 与 {baseline} 在 {metric} 上的优劣。",
        ),
        "runs_summary": ("{arms} arms against {baseline}: {counts}", "{arms} 组与 {baseline} 相比：{counts}"),
        "runs_interval": ("95 % interval {low} to {high}", "95% 区间 {low} 至 {high}"),
        "runs_to": ("{low} to {high}", "{low} 至 {high}"),
        "runs_pairs": ("{count} paired seeds", "{count} 对种子"),
        "runs_pair": ("{count} paired seed", "{count} 对种子"),
        "runs_would_see": ("you would see differences down to {size}", "可发现的最小差异约为 {size}"),
        "runs_seed_needed": (
            "one more seed would show a difference of this size",
            "再加一个种子，就可能证实这样大小的差异",
        ),
        "runs_seeds_needed": (
            "about {count} more seeds would show a difference of this size",
            "再加约 {count} 个种子，才可能证实这样大小的差异",
        ),
        "runs_verdict_one_arm": (
            "There is one arm only ({arm}): nothing to compare it with. Choose another key to compare by.",
            "只有一组（{arm}），无可比较。请换一个分组键。",
        ),
        "runs_verdict_no_arm": (
            "No run has a usable value of {metric} yet.",
            "尚无训练给出可用的 {metric} 数值。",
        ),
        "runs_verdict_no_key": (
            "Nothing tells these runs apart but their names: there is nothing to compare by.",
            "除名称外，这些训练没有可用于分组的配置差异。",
        ),
        "runs_verdict_no_metric": ("These runs have logged no metric yet.", "这些训练尚未记录任何指标。"),
        "runs_verdict_no_runs": ("No run takes part.", "没有训练参与比较。"),
        "runs_verdict_no_runs_next": (
            "Clear the search or tick some runs in the table below.",
            "请清空搜索，或在下方表格中勾选训练。",
        ),
        "runs_side_better": ("better", "更好"),
        "runs_side_worse": ("worse", "更差"),
        "runs_forest": ("{arm} minus {baseline}: {difference}", "{arm} 减 {baseline}：{difference}"),
        "runs_tables": ("Table", "表格"),
        "runs_method": ("Method", "方法"),
        "runs_doubts": ("To keep in mind ({count})", "注意事项（{count}）"),
        "runs_excluded": ("Not counted, or not fully ({count})", "未计入或未完全计入（{count}）"),
        "runs_and_more": ("and {count} more", "另有 {count} 项"),
        "runs_column_against": ("against {baseline}", "对比 {baseline}"),
        "runs_column_verdict": ("verdict", "结论"),
        "runs_column_difference": ("difference", "差值"),
        "runs_column_interval": ("95 % interval", "95% 区间"),
        "runs_column_p": ("p (Holm)", "p（Holm）"),
        "runs_column_pairs": ("pairs", "对数"),
        "runs_column_effect": ("effect d", "效应量 d"),
        "runs_column_detectable": ("detectable", "可发现差异"),
        "runs_column_seeds": ("more seeds", "还需种子"),
        "runs_column_arm": ("arm", "组"),
        "runs_column_runs": ("runs", "次数"),
        "runs_column_mean": ("mean", "均值"),
        "runs_column_iqm": ("IQM", "四分位均值"),
        "runs_column_range": ("lowest … highest", "最低 … 最高"),
        # ---- curves
        "runs_curves": ("Curves", "曲线"),
        "runs_curves_metrics": ("Metrics (at most four)", "指标（最多四个）"),
        "runs_x": ("Over", "横轴"),
        "runs_x_step": ("step", "步"),
        "runs_x_epoch": ("epoch", "轮次"),
        "runs_x_time": ("relative time", "相对时间"),
        "runs_x_wall": ("wall time", "实际时间"),
        "runs_seconds": ("s", "秒"),
        "runs_smooth": ("Smoothing", "平滑"),
        "runs_log": ("Log scale", "对数轴"),
        "runs_log_x": ("x", "x"),
        "runs_log_y": ("y", "y"),
        "runs_draw": ("Draw", "绘制"),
        "runs_draw_bands": ("mean and band", "均值与区间"),
        "runs_draw_runs": ("every run", "每次训练"),
        "runs_band": ("Band", "区间"),
        "runs_band_bootstrap": ("bootstrap", "自助法"),
        "runs_band_t": ("Student t", "t 区间"),
        "runs_no_curves": (
            "No curve for this choice: tick runs in the table, or choose a metric.",
            "当前选择没有曲线：请在表格中勾选训练，或选择指标。",
        ),
        "runs_note_wall": ("Over wall time every run is drawn.", "以实际时间为横轴时绘制每次训练。"),
        "runs_note_no_axis": (
            "{count} runs did not log this axis ({axis}) and are not drawn.",
            "{count} 次训练未记录该横轴（{axis}），未绘制。",
        ),
        "runs_note_log": (
            "{count} values of zero or below have no place on a logarithmic axis.",
            "{count} 个不大于零的值无法显示在对数轴上。",
        ),
        "runs_note_bootstrap": (
            "Bands: 95 % percentile bootstrap over seeds; with so few seeds it truly covers about {coverage}.",
            "区间：对种子做 95% 百分位自助法；种子数如此少时，实际覆盖率约为 {coverage}。",
        ),
        "runs_note_t": (
            "Bands: Student t interval of the mean over seeds, {coverage}.",
            "区间：种子均值的 Student t 区间，{coverage}。",
        ),
        "runs_not_finite": ("{run}: {value} at step {step}", "{run}：第 {step} 步为 {value}"),
        "runs_curves_description": ("Curves of {metrics} for {arms}.", "{arms} 的 {metrics} 曲线。"),
        # ---- cost
        "runs_cost": ("Cost", "开销"),
        "runs_cost_seconds_per_epoch": ("seconds per epoch", "每轮秒数"),
        "runs_cost_samples_per_s": ("samples/s", "样本/秒"),
        "runs_cost_peak_memory_bytes": ("peak memory", "峰值内存"),
        "runs_cost_parameters": ("parameters", "参数量"),
        "runs_cost_axis": ("Against", "对照"),
        "runs_scatter": ("Quality against cost", "质量与开销"),
        "runs_pareto": ("Pareto front", "帕累托前沿"),
        "runs_no_scatter": (
            "Quality against cost needs a verdict's metric and a cost that the runs have logged.",
            "需要可判断的指标，以及训练中记录的开销。",
        ),
        "runs_scatter_description": ("{metric} of each arm against its cost.", "各组 {metric} 与其开销。"),
        # ---- table
        "runs_table": ("Runs", "训练列表"),
        "runs_search": ("Search", "搜索"),
        "runs_search_placeholder": (
            "optimizer=adam|sgd  lr<0.01  seed!=3  -failed",
            "optimizer=adam|sgd  lr<0.01  seed!=3  -failed",
        ),
        "runs_search_none": ("No run fits the search.", "没有符合搜索的训练。"),
        "runs_tick_all": ("Tick all or none", "全选或全不选"),
        "runs_count": ("{shown} of {count} take part", "{count} 次中有 {shown} 次参与"),
        "runs_count_limit": ("The first {limit} are listed.", "仅列出前 {limit} 次。"),
        "runs_column_run": ("run", "训练"),
        "runs_column_status": ("status", "状态"),
        "runs_column_step": ("last step", "最后一步"),
        "runs_status_running": ("running", "训练中"),
        "runs_status_finished": ("finished", "已完成"),
        "runs_status_failed": ("failed", "失败"),
        "runs_status_killed": ("killed", "被终止"),
        "runs_status_unknown": ("unknown", "未知"),
        "runs_problems": ("Not read ({count})", "无法读取（{count}）"),
        "runs_noted": ("Notes on the logs ({count})", "日志说明（{count}）"),
        # ---- to take away
        "runs_save_as": ("Save", "导出"),
    }
)


class Says(Vocabulary, package="page.runs"):
    """Errors."""

    give_logs = Template(
        "Give CSV, JSONL, TensorBoard event files, or a zip of them.",
        "支持 CSV、JSONL、TensorBoard 事件文件，或其 zip。",
    )
    no_runs_in_it = Template("There are no runs in it.", "其中没有训练记录。")
    direction = Template("A direction is auto, min or max.", "方向须为 auto、min 或 max。")
    train_first = Template("Train first, or send logs as `files`.", "请先训练，或通过 `files` 提交日志。")
    folders_here = Template("Folders here: {names}.", "现有文件夹：{names}。")
    none_yet = Template("none yet", "尚无")
