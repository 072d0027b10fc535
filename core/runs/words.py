"""What `core.runs` says: English and Chinese side by side."""

from __future__ import annotations

from ..messages import Template, Vocabulary


class Says(Vocabulary, package="runs"):
    band_over_step_epoch_time = Template(
        "A band is over step, epoch or time, with interval bootstrap or t.",
        "区间的横轴须为 step、epoch 或 time，区间类型须为 bootstrap 或 t。",
    )
    metric_name_does_not_say = Template(
        "The metric's name does not say whether lower or higher is better.", "从指标名称看不出越低越好还是越高越好。"
    )
    no_step_which_chose = Template(
        "has no {metric} at step {step:,}, which {select} chose", "由 {select} 选出的第 {step:,} 步没有 {metric}"
    )
    say_direction_min_direction_max = Template(
        "Say it: --direction min or --direction max", "请指明：--direction min 或 --direction max"
    )
    values_no_validation_metric_choose = Template(
        "has {count:,} values of {metric} and no validation metric to choose among them",
        "{metric} 有 {count:,} 个值，却没有可用于选择的验证指标",
    )
    throughout = Template("its {metric} is {value} throughout", "{metric} 始终为 {value}")
    direction_min_max = Template("A direction is min or max.", "方向须为 min 或 max。")
    no_run_metric_should_choose = Template(
        "No run has the metric that should choose the checkpoint.", "没有训练记录用于选择检查点的指标。"
    )
    no_choose_checkpoint = Template("has no {metric} to choose a checkpoint by", "没有用于选择检查点的 {metric}")
    direction_min_max_2 = Template("--direction min or max", "--direction min 或 max")
    give_select_metric_one_runs = Template(
        "Give --select_metric one of the runs' metrics, or --at last.",
        "请将 --select_metric 设为已有指标，或使用 --at last。",
    )
    no_val_twin_own_best = Template(
        "{metric} has no val/ twin: its own best value is reported, which is optimistic",
        "{metric} 没有对应的 val/ 指标：报告的是自身最佳值，偏乐观",
    )
    later_run_same_arm_seed = Template(
        "{run} is a later run of the same arm and seed", "{run} 是同组同种子的后一次训练"
    )
    config_no = Template("its config has no {keys}", "配置中没有 {keys}")
    step = Template("its {metric} is {value} (step {step:,})", "{metric} 为 {value}（第 {step:,} 步）")
    runs_grouped_config_key = Template("Runs are grouped by a config key.", "训练须按某个配置键分组。")
    best_last_1000 = Template("--at best, --at last or --at 1000", "--at best、--at last 或 --at 1000")
    no_run_metric = Template("No run has this metric.", "没有训练记录该指标。")
    baseline_none_arms = Template("The baseline is none of the arms.", "基线不在各组之中。")
    runs_one_arm_differ_more = Template(
        "runs of one arm differ in more than their seed: {names}", "同一组的训练除种子外还有差异：{names}"
    )
    arms_also_differ = Template("the arms also differ in: {names}", "各组之间还有差异：{names}")
    did_not_finish_but_count = Template("did not finish, but count: {names}", "未正常结束，但仍计入：{names}")
    runs_end_different_steps = Template(
        "runs end at different steps, from {first:,} to {last:,}", "各训练结束的步数不同，从 {first:,} 到 {last:,}"
    )
    there_one_arm_only_nothing = Template(
        "there is one arm only ({arm}): nothing to compare", "只有一组（{arm}），无可比较"
    )
    still_running = Template("still running", "仍在训练")
    name_one_example_pose_encoder = Template("Name one, for example pose_encoder.", "请指定一个，例如 pose_encoder。")
    give_folder_training_wrote_runs = Template(
        "Give the folder that training wrote its runs to.", "请指定训练写入记录的文件夹。"
    )
    no_run_config_key = Template("No run's config has this key.", "没有训练的配置含有该键。")
    metrics = Template("Metrics: {names}.", "可用指标：{names}。")
    no_run_baseline_counts = Template("No run of the baseline counts.", "基线组没有可计入的训练。")
    keys_differ = Template("Keys that differ: {names}.", "有差异的键：{names}。")
    pick_one_list = Template("Pick one of the list.", "请从列表中选择。")
    runs_must_folder = Template("The runs must be a folder.", "训练记录须为文件夹。")
    folder_runs_does_not_exist = Template("The folder of runs does not exist.", "训练记录文件夹不存在。")
    give_folder_holds_file = Template("Give the folder that holds the file.", "请指定该文件所在的文件夹。")
    files_beyond_first_not_read = Template(
        "{count:,} files beyond the first {limit:,} were not read", "超出前 {limit:,} 个的 {count:,} 个文件未读取"
    )
    give_existing_folder = Template("Give an existing folder.", "请指定已有的文件夹。")
    folder_cannot_opened = Template("the folder cannot be opened: {error}", "无法打开文件夹：{error}")
    more_than_folders_deep_not = Template("more than {limit} folders deep: not read", "嵌套超过 {limit} 层，未读取")
    link_out_folder_not_followed = Template("a link out of the folder; not followed", "指向文件夹之外的链接，未跟随")
    not_regular_file = Template("not a regular file", "不是普通文件")
    record_byte_damaged_what_came = Template(
        "the record at byte {position:,} is damaged; what came before it is shown",
        "字节 {position:,} 处的记录已损坏；显示其之前的内容",
    )
    file_does_not_start_tensorboard = Template(
        "the file does not start with a TensorBoard record", "文件开头不是 TensorBoard 记录"
    )
    not_shown = Template("{name}: {kind}, not shown", "{name}：{kind}，未显示")
    file_cannot_opened = Template("the file cannot be opened: {error}", "无法打开文件：{error}")
    file_empty_0_bytes = Template("the file is empty (0 bytes)", "文件是空的（0 字节）")
    larger_than_bytes = Template("larger than {limit:,} bytes", "超过 {limit:,} 字节")
    line_record_longer_than_bytes = Template(
        "a line or record is longer than {limit:,} bytes", "有一行或一条记录超过 {limit:,} 字节"
    )
    file_cannot_read = Template("the file cannot be read: {error}", "无法读取文件：{error}")
    could_not_read = Template("could not be read ({kind}: {error})", "无法读取（{kind}: {error}）")
    status_not_one = Template("its status is not one of {names}", "其状态不属于 {names}")
    process_gone_without_having_said = Template(
        "its process is gone without having said how it ended", "进程已消失，没有留下结束状态"
    )
    no_sign_life_minutes = Template("no sign of life for {minutes:,.0f} minutes", "已有 {minutes:,.0f} 分钟没有动静")
    ended = Template("ended with {error}", "结束时出错：{error}")
    larger_than_bytes_not_read = Template(
        "{name} is larger than {limit:,} bytes and was not read", "{name} 超过 {limit:,} 字节，未读取"
    )
    no_metric_logged_yet = Template("no metric was logged yet", "尚未记录任何指标")
    ends_within_line_record_bytes = Template(
        "{name} ends within a line or record ({bytes:,} bytes)", "{name} 在一行或一条记录的中间结束（{bytes:,} 字节）"
    )
    several_logs_run_first_shown = Template(
        "{name} is in several logs of the run; the first is shown", "{name} 出现在该训练的多个日志中，显示第一个"
    )
    no_numbers = Template("no numbers in it", "其中没有数字")
    file_utf_16_json_lines = Template(
        "the file is UTF-16; JSON lines are UTF-8", "文件是 UTF-16 编码；JSON Lines 须为 UTF-8"
    )
    not_utf_8_read_latin = Template("not UTF-8; read as Latin-1", "不是 UTF-8，按 Latin-1 读取")
    file_not_text_utf_8 = Template(
        "the file is not text in UTF-8 (UTF-16, or binary); save it as UTF-8",
        "文件不是 UTF-8 文本（而是 UTF-16 或二进制）；请另存为 UTF-8",
    )
    first_line_does_not_name = Template("the first line does not name the columns", "首行不是列名")
    first_line_holds_numbers_not = Template(
        "the first line holds numbers, not the names of the columns", "首行是数字，不是列名"
    )
    not_csv_table = Template("not a CSV table: {error}", "不是 CSV 表格：{error}")
    file_holds_header_line_most = Template(
        "the file holds a header line at most, and no rows", "文件至多只有表头，没有数据行"
    )
    file_breaks_off_within_first = Template("the file breaks off within its first row", "文件在第一行数据中断开")
    sqlite_database_without_trackio_tables = Template(
        "an SQLite database without trackio's tables", "SQLite 数据库中没有 trackio 的表"
    )
    database_holds_more_than_rows = Template("the database holds more than {limit:,} rows", "数据库超过 {limit:,} 行")
    not_sqlite_database = Template("not an SQLite database", "不是 SQLite 数据库")
    database_cannot_read = Template("the database cannot be read: {error}", "无法读取数据库：{error}")
    more_than_members = Template("more than {limit:,} members", "文件超过 {limit:,} 个")
    members_no_logs_left_out = Template(
        "{count:,} members that are no logs were left out", "忽略了 {count:,} 个不是日志的文件"
    )
    link_not_followed = Template("a link; not followed", "链接，未跟随")
    not_csv_jsonl_event_file = Template("not a CSV, JSONL, event file or zip", "不是 CSV、JSONL、事件文件或 zip")
    cannot_read = Template("cannot be read: {error}", "无法读取：{error}")
    name_leads_out_archive = Template("its name leads out of the archive", "文件名指向压缩包之外")
    more_than_folders_deep = Template("more than {limit} folders deep", "嵌套超过 {limit} 层")
    encrypted = Template("encrypted", "已加密")
    cannot_unpacked = Template("cannot be unpacked: {error}", "无法解压：{error}")
