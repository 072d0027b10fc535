"""What `core.runs` says: English and Chinese side by side."""

from __future__ import annotations

from ..messages import Template, Vocabulary


class Says(Vocabulary, package="runs"):
    # ---- where runs lie
    root_missing = Template("The folder of runs does not exist.", "训练记录文件夹不存在。")
    give_existing_folder = Template("Give an existing folder.", "请指定已有的文件夹。")
    root_no_folder = Template("The runs must be a folder.", "训练记录须为文件夹。")
    give_folder_of_file = Template("Give the folder that holds the file.", "请指定该文件所在的文件夹。")
    pick_of_list = Template("Pick one of the list.", "请从列表中选择。")
    folder_unopened = Template("the folder cannot be opened: {error}", "无法打开文件夹：{error}")
    folders_too_deep = Template("more than {limit} folders deep: not read", "嵌套超过 {limit} 层，未读取")
    files_too_many = Template(
        "{count:,} files beyond the first {limit:,} were not read", "超出前 {limit:,} 个的 {count:,} 个文件未读取"
    )
    link_outside = Template("a link out of the folder; not followed", "指向文件夹之外的链接，未跟随")
    not_regular = Template("not a regular file", "不是普通文件")
    not_read_as_logs = Template(
        "also in the folder, not read as logs: {names}", "文件夹中另有未作为日志读取的文件：{names}"
    )

    # ---- files
    file_unopened = Template("the file cannot be opened: {error}", "无法打开文件：{error}")
    file_unread = Template("the file cannot be read: {error}", "无法读取文件：{error}")
    parser_failed = Template("could not be read ({kind}: {error})", "无法读取（{kind}: {error}）")
    file_empty = Template("the file is empty (0 bytes)", "文件是空的（0 字节）")
    file_too_large = Template("larger than {limit:,} bytes", "超过 {limit:,} 字节")
    line_too_long = Template("a line or record is longer than {limit:,} bytes", "有一行或一条记录超过 {limit:,} 字节")
    ends_within_line = Template(
        "{name} ends within a line or record ({bytes:,} bytes)", "{name} 在一行或一条记录的中间结束（{bytes:,} 字节）"
    )
    steps_repeated = Template(
        "{count:,} steps were written more than once; the later value counts",
        "{count:,} 步被重复写入，以后写的值为准",
    )
    values_superseded = Template(
        "{count:,} values of an attempt that was resumed before them were replaced",
        "从更早处恢复训练后，先前的 {count:,} 个值已被替换",
    )
    resumed = Template("resumed {count:,} times", "恢复训练 {count:,} 次")
    metrics_too_many = Template(
        "{count:,} blocks of metrics beyond the first {limit:,} names are not shown",
        "超出前 {limit:,} 个名称的 {count:,} 块指标未显示",
    )

    # ---- rows of JSON and CSV
    jsonl_is_utf16 = Template("the file is UTF-16; JSON lines are UTF-8", "文件是 UTF-16 编码；JSON Lines 须为 UTF-8")
    lines_not_json = Template(
        "{count:,} lines could not be read (not JSON); the first is line {line}",
        "{count:,} 行无法读取（不是 JSON）；首个为第 {line} 行",
    )
    lines_not_utf8 = Template(
        "{count:,} lines could not be read (not UTF-8); the first is line {line}",
        "{count:,} 行无法读取（不是 UTF-8）；首个为第 {line} 行",
    )
    lines_no_objects = Template(
        "{count:,} lines are not JSON objects and were passed over", "跳过了 {count:,} 行非 JSON 对象"
    )
    lists_passed_over = Template("{name}: {count:,} lists were passed over", "{name}：跳过了 {count:,} 个列表")
    texts_passed_over = Template(
        "{name}: {count:,} values are text, not numbers, and were passed over",
        "{name}：跳过了 {count:,} 个文本值（不是数字）",
    )
    text_not_shown = Template("{name}: text, not shown", "{name}：文本，未显示")
    latin1 = Template("not UTF-8; read as Latin-1", "不是 UTF-8，按 Latin-1 读取")
    csv_no_text = Template(
        "the file is not text in UTF-8 (UTF-16, or binary); save it as UTF-8",
        "文件不是 UTF-8 文本（而是 UTF-16 或二进制）；请另存为 UTF-8",
    )
    csv_header_missing = Template("the first line does not name the columns", "首行不是列名")
    csv_header_numbers = Template("the first line holds numbers, not the names of the columns", "首行是数字，不是列名")
    csv_invalid = Template("not a CSV table: {error}", "不是 CSV 表格：{error}")
    csv_header_only = Template("the file holds a header line at most, and no rows", "文件至多只有表头，没有数据行")
    csv_torn = Template("the file breaks off within its first row", "文件在第一行数据中断开")
    rows_of_other_width = Template(
        "{count:,} rows do not have the header's number of columns and were passed over",
        "跳过了列数与表头不符的 {count:,} 行",
    )
    columns_nameless = Template("{count:,} columns without a name are not shown", "{count:,} 个没有名称的列未显示")
    columns_of_one_name = Template(
        "{name}: {count:,} more columns of that name are not shown", "{name}：另有 {count:,} 个同名列未显示"
    )
    blocks_of_one_name = Template(
        "{name}: {count:,} blocks of a second column of that name are not shown",
        "{name}：同名第二列的 {count:,} 块数据未显示",
    )
    steps_rounded = Template(
        "{count:,} blocks have steps with a fraction; they were rounded", "{count:,} 块数据的步数有小数，已取整"
    )

    # ---- event files, databases
    events_not_first = Template("the file does not start with a TensorBoard record", "文件开头不是 TensorBoard 记录")
    event_damaged = Template(
        "the record at byte {position:,} is damaged; what came before it is shown",
        "字节 {position:,} 处的记录已损坏；显示其之前的内容",
    )
    events_foreign = Template(
        "{count:,} records are not TensorBoard events and were passed over",
        "跳过了 {count:,} 条非 TensorBoard 事件的记录",
    )
    hparams_unread = Template(
        "{count:,} records of hyperparameters could not be read", "{count:,} 条超参数记录无法读取"
    )
    trials_beside = Template(
        "{count:,} trials of add_hparams lie in its folder, each a run of its own",
        "其文件夹中有 {count:,} 次 add_hparams 试验，各为一次训练",
    )
    kind_not_shown = Template("{name}: {kind}, not shown", "{name}：{kind}，未显示")
    database_foreign = Template("an SQLite database without trackio's tables", "SQLite 数据库中没有 trackio 的表")
    database_too_long = Template("the database holds more than {limit:,} rows", "数据库超过 {limit:,} 行")
    not_sqlite = Template("not an SQLite database", "不是 SQLite 数据库")
    database_unread = Template("the database cannot be read: {error}", "无法读取数据库：{error}")
    rows_unread = Template("{count:,} rows could not be read", "{count:,} 行无法读取")

    # ---- a run and what lies beside its log
    companion_too_large = Template(
        "{name} is larger than {limit:,} bytes and was not read", "{name} 超过 {limit:,} 字节，未读取"
    )
    companion_unopened = Template("{name} cannot be opened: {error}", "无法打开 {name}：{error}")
    companion_unread = Template("{name} cannot be read: {error}", "无法读取 {name}：{error}")
    no_object = Template("it does not hold an object", "其中不是对象")
    no_mapping = Template("it does not hold a mapping", "其中不是映射")
    config_changed = Template("config changed on resuming: {key} {change}", "恢复训练时配置有变：{key} {change}")
    in_several_logs = Template(
        "{name} is in several logs of the run; the first is shown", "{name} 出现在该训练的多个日志中，显示第一个"
    )
    nothing_but_notes = Template("{notes}", "{notes}")
    no_file_beside = Template("There is no {name} in the folder of this run.", "该训练的文件夹中没有 {name}。")
    log_it_again = Template("Train it again, or get the whole folder.", "请重新训练，或获取完整的文件夹。")
    no_numbers = Template("no numbers in it", "其中没有数字")
    no_metric_yet = Template("no metric was logged yet", "尚未记录任何指标")
    status_unknown = Template("its status is not one of {names}", "其状态不属于 {names}")
    process_gone = Template("its process is gone without having said how it ended", "进程已消失，没有留下结束状态")
    silent = Template("no sign of life for {minutes:,.0f} minutes", "已有 {minutes:,.0f} 分钟没有动静")
    ended_with = Template("ended with {error}", "结束时出错：{error}")

    # ---- uploads, archives, packs
    upload_full = Template(
        "more than {size:,.0f} MB and {files:,} files together; the rest was not taken",
        "合计超过 {size:,.0f} MB 或 {files:,} 个文件，其余未收取",
    )
    upload_no_log = Template("not a CSV, JSONL, event file or zip", "不是 CSV、JSONL、事件文件或 zip")
    cannot_read = Template("cannot be read: {error}", "无法读取：{error}")
    members_too_many = Template("more than {limit:,} members", "文件超过 {limit:,} 个")
    members_no_logs = Template("{count:,} members that are no logs were left out", "忽略了 {count:,} 个不是日志的文件")
    member_is_link = Template("a link; not followed", "链接，未跟随")
    member_leads_out = Template("its name leads out of the archive", "文件名指向压缩包之外")
    member_too_deep = Template("more than {limit} folders deep", "嵌套超过 {limit} 层")
    member_encrypted = Template("encrypted", "已加密")
    member_beyond_end = Template("it lies beyond the end of the archive", "位于压缩包末尾之外")
    member_twice = Template("a second member of this name; not read", "同名的第二个文件，未读取")
    member_below_file = Template("it lies in a folder that is a file", "它所在的文件夹其实是一个文件")
    damaged = Template("damaged", "已损坏")
    member_damaged = Template("cannot be unpacked: {error}", "无法解压：{error}")
    unpacked_too_large = Template("larger than {limit:,} bytes unpacked", "解压后超过 {limit:,} 字节")
    pack_in_pack = Template("a pack inside an archive; not opened", "压缩包中的打包文件，未打开")
    pack_name = Template("A pack of runs is named like mine{suffix}.", "训练打包文件的名称须形如 mine{suffix}。")
    choose_pack_name = Template("Choose a name that ends in {suffix}.", "请选择以 {suffix} 结尾的名称。")
    pack_nothing = Template("There is nothing to pack in this folder.", "该文件夹中没有可打包的内容。")
    pack_unread = Template("The pack cannot be unpacked: {error}.", "无法解压该打包文件：{error}。")
    ask_for_pack_again = Template("Ask for the file once more.", "请重新获取该文件。")
    pack_refused = Template(
        "The pack holds something that cannot be unpacked: {reason}.", "打包文件中有不可解压的内容：{reason}。"
    )
    pack_unwritten = Template("The pack cannot be written: {error}.", "无法写入打包文件：{error}。")
    unpack_unwritten = Template("The runs cannot be unpacked: {error}.", "无法解压训练记录：{error}。")
    unpack_not_empty = Template("The place to unpack into is not empty.", "要解压到的位置不是空的。")
    choose_new_folder = Template("Choose a new folder.", "请选择新的文件夹。")

    # ---- writing a run
    config_no_seed = Template("A run's config needs a seed.", "训练的配置须有 seed。")
    add_seed = Template("Add the seed, so that runs can be paired by it.", "请加上种子，以便按种子配对。")
    run_closed = Template("The run is closed.", "该训练记录已结束。")
    log_before_end = Template("Log before the run ends.", "请在训练结束前记录。")
    run_unwritable = Template("The run cannot be written: {error}.", "无法写入训练记录：{error}。")
    give_writable_folder = Template("Give a folder that can be written.", "请指定可写入的文件夹。")
    run_exists = Template("A run of this name exists.", "已有同名的训练记录。")
    resume_or_rename = Template(
        "Choose another name, or resume=True to go on with it.", "请换一个名称，或用 resume=True 接着训练。"
    )
    run_busy = Template("Another process is writing this run.", "另一个进程正在写入该训练记录。")
    wait_or_rename = Template(
        "Choose another name, or wait until it has ended. In distributed training pass rank=.",
        "请换一个名称，或等它结束。分布式训练时请传入 rank=。",
    )
    log_unwritable = Template("The run's log cannot be written: {error}.", "无法写入训练日志：{error}。")
    free_disk = Template("Free space on the disk, then resume the run.", "请先释放磁盘空间，再恢复训练。")
    run_name = Template(
        "A run's name must be a place under the folder of runs.", "训练名称须为训练记录文件夹之下的位置。"
    )
    run_name_signs = Template(
        "Use letters, digits, - _ . and / for subfolders.", "请使用字母、数字、- _ .，子文件夹用 /。"
    )
    metric_no_number = Template("A metric must be one number, not {kind}.", "指标须为一个数，不能是 {kind}。")
    log_mean = Template("Log its mean, or leave it out.", "请记录其均值，或不记录。")

    # ---- which number stands for a run
    direction = Template("A direction is min or max.", "方向须为 min 或 max。")
    give_direction = Template("--direction min or max", "--direction min 或 max")
    direction_untold = Template(
        "The metric's name does not say whether lower or higher is better.", "从指标名称看不出越低越好还是越高越好。"
    )
    say_direction = Template(
        "Say it: --direction min or --direction max; on the page, How it is judged, Better is.",
        "请指明：--direction min 或 --direction max；网页上在“判断方式”的“更优方向”中选择。",
    )
    no_select_metric = Template(
        "No run has the metric that should choose the checkpoint.", "没有训练记录用于选择检查点的指标。"
    )
    give_select_metric = Template(
        "Give --select_metric one of the runs' metrics, or --at last.",
        "请将 --select_metric 设为已有指标，或使用 --at last。",
    )
    no_val_twin = Template(
        "{metric} has no val/ twin: its own best value is reported, which is optimistic",
        "{metric} 没有对应的 val/ 指标：报告的是自身最佳值，偏乐观",
    )
    no_metric = Template("has no {metric}", "没有 {metric}")
    no_metric_at_step = Template(
        "has no {metric} at step {step:,} (its steps run from {first:,} to {last:,})",
        "第 {step:,} 步没有 {metric}（步数从 {first:,} 到 {last:,}）",
    )
    many_values = Template(
        "has {count:,} values of {metric} and no validation metric to choose among them",
        "{metric} 有 {count:,} 个值，却没有可用于选择的验证指标",
    )
    no_choosing_metric = Template("has no {metric} to choose a checkpoint by", "没有用于选择检查点的 {metric}")
    throughout = Template("its {metric} is {value} throughout", "{metric} 始终为 {value}")
    no_metric_at_chosen = Template(
        "has no {metric} at step {step:,}, which {select} chose", "由 {select} 选出的第 {step:,} 步没有 {metric}"
    )
    infinite = Template("infinite", "无穷大")

    # ---- arms and pairs
    no_key = Template("Runs are grouped by a config key.", "训练须按某个配置键分组。")
    name_key = Template("Name one, for example optimizer.", "请指定一个，例如 optimizer。")
    which_checkpoint = Template("--at best, --at last or --at 1000", "--at best、--at last 或 --at 1000")
    give_runs_folder = Template("Give the folder that training wrote its runs to.", "请指定训练写入记录的文件夹。")
    unknown_key = Template("No run's config has this key.", "没有训练的配置含有该键。")
    keys_that_differ = Template("Keys that differ: {names}.", "有差异的键：{names}。")
    none_differs = Template("none differs", "都没有差异")
    unknown_metric = Template("No run has this metric.", "没有训练记录该指标。")
    known_metrics = Template("Metrics: {names}.", "可用指标：{names}。")
    none = Template("none", "无")
    unknown_baseline = Template("The baseline is none of the arms.", "基线不在各组之中。")
    baseline_counts_nothing = Template("No run of the baseline counts.", "基线组没有可计入的训练。")
    known_arms = Template("Arms: {names}.", "现有各组：{names}。")
    config_lacks = Template("its config has no {keys}", "配置中没有 {keys}")
    still_running = Template("still running", "仍在训练")
    not_finite = Template("its {metric} is {value} (step {step:,})", "{metric} 为 {value}（第 {step:,} 步）")
    later_run = Template("{run} is a later run of the same arm and seed", "{run} 是同组同种子的后一次训练")
    earlier_run = Template("{run} is an earlier run of the same arm and seed", "{run} 是同组同种子的前一次训练")
    last_by_name = Template(
        "{run} counts: of the runs of the same arm and seed the last by name (not all say when they started)",
        "计入 {run}：同组同种子的训练中名称最后的一个（并非都记录了开始时间）",
    )
    first_by_name = Template(
        "{run} counts: of the runs of the same arm and seed the first by name (not all say when they started)",
        "计入 {run}：同组同种子的训练中名称最前的一个（并非都记录了开始时间）",
    )
    in_the_mean = Template(
        "counts in the mean with {run}, of the same arm and seed", "与同组同种子的 {run} 取平均后计入"
    )
    repeated_refused = Template("has the same arm and seed as {run}", "与 {run} 同组同种子")
    and_they_differ = Template(
        "{reason} (they differ in {keys}: group by that too?)", "{reason}（它们的 {keys} 不同，是否也按它分组？）"
    )
    several_of_one_seed = Template(
        "several runs of one arm and seed ({count:,} times): {rule}", "同组同种子有多次训练（{count:,} 处）：{rule}"
    )
    latest_counts = Template(
        "the latest counts, by its recorded start or else by name", "计入最后一次（按记录的开始时间，否则按名称）"
    )
    first_counts = Template(
        "the first counts, by its recorded start or else by name", "计入第一次（按记录的开始时间，否则按名称）"
    )
    mean_counts = Template("their mean counts", "计入其平均值")
    no_verdict_on_them = Template("no verdict on their arms", "不对这些组下结论")
    arms_with_several = Template(
        "several runs have the same arm and seed ({names}); say which counts, or leave some out",
        "同组同种子有多次训练（{names}）；请指明计入哪次，或排除其中一些",
    )
    unknown_duplicates = Template(
        "Of several runs of one arm and seed counts the latest, the first, their mean, or none.",
        "同组同种子有多次训练时，可计入最后一次、第一次、平均值，或拒绝下结论。",
    )
    give_duplicates = Template(
        "--duplicates latest, first, mean or refuse", "--duplicates latest、first、mean 或 refuse"
    )
    not_paired = Template("not paired: no run of the other arm has its seed", "未配对：另一组没有相同种子")
    not_paired_no_seed = Template("not paired: its config has no seed to pair it by", "未配对：配置中没有种子")

    # ---- the verdict
    unlikely_chance = Template(
        "the difference is unlikely to be chance ({p}, {seeds})", "该差异不太可能出于偶然（{p}，{seeds}）"
    )
    chance = Template(
        "a difference like this is to be expected by chance ({p}, {seeds})", "这样的差异可能只是偶然（{p}，{seeds}）"
    )
    out_of_reach = Template(
        "with {pairs} pairs and {tests} arms compared no adjusted p-value can be below {smallest:.3g}: more seeds are needed before anything can be shown",
        "{pairs} 对种子、{tests} 组比较时，校正后的 p 值不可能低于 {smallest:.3g}：需要更多种子",
    )
    too_few_pairs = Template(
        "{seeds}; at least {least} are needed, because with fewer no result can reach p < {alpha}",
        "只有{seeds}；至少需要 {least} 对，否则任何结果都达不到 p < {alpha}",
    )
    too_few_pairs_lost = Template(
        "{seeds}; at least {least} are needed, because with fewer no result can reach p < {alpha} ({lost})",
        "只有{seeds}；至少需要 {least} 对，否则任何结果都达不到 p < {alpha}（{lost}）",
    )
    paired_seed = Template("{count} paired seed", "{count} 对种子")
    paired_seeds = Template("{count} paired seeds", "{count} 对种子")
    run_did_not_count = Template(
        "1 run of these arms did not count: {run} {reason}", "这些组中有 1 次训练未计入：{run} {reason}"
    )
    runs_did_not_count = Template(
        "{count} runs of these arms did not count: {run} {reason}; …",
        "这些组中有 {count} 次训练未计入：{run} {reason}；…",
    )
    runs_of_one_arm_differ = Template(
        "runs of one arm differ in more than their seed: {names}", "同一组的训练除种子外还有差异：{names}"
    )
    arms_also_differ = Template("the arms also differ in: {names}", "各组之间还有差异：{names}")
    unfinished_count = Template("did not finish, but count: {names}", "未正常结束，但仍计入：{names}")
    ends_differ = Template(
        "runs end at different steps, from {first:,} to {last:,}", "各训练结束的步数不同，从 {first:,} 到 {last:,}"
    )
    one_arm_only = Template("there is one arm only ({arm}): nothing to compare", "只有一组（{arm}），无可比较")
    no_verdict = Template(
        "No verdict on {arm} against {baseline} in {metric}: {reason}.",
        "无法判断 {arm} 与 {baseline} 在 {metric} 上的优劣：{reason}。",
    )
    no_difference = Template(
        "No difference shown between {arm} and {baseline} in {metric}: {difference:+.3g}, 95 % interval {low:.3g} to {high:.3g}, {p}, {seeds}{rest}.",
        "{arm} 与 {baseline} 在 {metric} 上未见差异：{difference:+.3g}，95% 区间 {low:.3g} 至 {high:.3g}，{p}，{seeds}{rest}。",
    )
    better = Template(
        "{arm} is better than {baseline} by {size:.3g} in {metric}, 95 % interval {low:.3g} to {high:.3g}, {p}, {seeds}{rest}.",
        "{arm} 优于 {baseline}，{metric} 相差 {size:.3g}，95% 区间 {low:.3g} 至 {high:.3g}，{p}，{seeds}{rest}。",
    )
    worse = Template(
        "{arm} is worse than {baseline} by {size:.3g} in {metric}, 95 % interval {low:.3g} to {high:.3g}, {p}, {seeds}{rest}.",
        "{arm} 不如 {baseline}，{metric} 相差 {size:.3g}，95% 区间 {low:.3g} 至 {high:.3g}，{p}，{seeds}{rest}。",
    )
    further = Template("; {text}{rest}", "；{text}{rest}")
    more_would_show = Template(
        "about {count:,} more would show a difference of this size", "再加约 {count:,} 个种子，才可能证实这样大小的差异"
    )
    would_see = Template("you would see differences down to {size:.2g}", "可发现的最小差异约为 {size:.2g}")
    method = Template(
        "Runs are paired by seed. p-values are from a two-sided paired permutation test of the mean difference (exact up to {exact} pairs, {flips:,} random sign flips above), Holm-adjusted over the arms compared. The interval is a 95 % Student t interval of the paired differences. The detectable difference is what a paired t test at the strictest Holm level would see with power 0.8, given the spread of the differences; with six pairs the permutation test sees it in about 63 % of cases, from seven on in 77 % or more.",
        "按种子配对。p 值来自配对差均值的双侧置换检验（不超过 {exact} 对时为精确检验，更多时随机翻转符号 {flips:,} 次），并在各组间做 Holm 校正。区间为配对差的 95% Student t 区间。“可发现的最小差异”指在最严格的 Holm 水平下，配对 t 检验能以 0.8 的功效发现的差异；仅 6 对时置换检验约有 63% 的机会发现它，7 对及以上为 77% 或更高。",
    )

    # ---- curves
    band_over = Template(
        "A band is over step, epoch or time, with interval bootstrap or t.",
        "区间的横轴须为 step、epoch 或 time，区间类型须为 bootstrap 或 t。",
    )

    # ---- an experiment's own file
    questions_unread = Template(
        "The experiment's questions cannot be read: {error}.", "无法读取实验的问题文件：{error}。"
    )
    mend_questions = Template("Mend the file, or remove it.", "请修正或删除该文件。")
