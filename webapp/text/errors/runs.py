"""`core.runs`: logs that cannot be read, notes on those that can, and comparisons.

Core writes notes and reasons without a capital letter and a full stop: they stand in lists and in brackets.
"""

SENTENCES: dict[str, str] = {
    # ---- the choices of a comparison
    "The metric's name does not say whether lower or higher is better.": "从指标名称看不出越低越好还是越高越好。",
    "Say it: --direction min or --direction max": "请指明：--direction min 或 --direction max",
    "A checkpoint is best, last or a step.": "检查点须为 best、last 或某一步。",
    "--at best, --at last or --at 1000": "--at best、--at last 或 --at 1000",
    "Runs are grouped by a config key.": "训练须按某个配置键分组。",
    "Name one, for example pose_encoder.": "请指定一个，例如 pose_encoder。",
    "There are no runs here.": "这里没有训练记录。",
    "Give the folder that training wrote its runs to.": "请指定训练写入记录的文件夹。",
    "No run has this metric.": "没有训练记录该指标。",
    "Metrics: {names}.": "可用指标：{names:list}。",
    "The baseline is none of the arms.": "基线不在各组之中。",
    "No run of the baseline counts.": "基线组没有可计入的训练。",
    "Arms: {names}.": "现有各组：{names:list}。",
    "A band is over step, epoch or time, with interval bootstrap or t.": (
        "区间的横轴须为 step、epoch 或 time，区间类型须为 bootstrap 或 t。"
    ),
    "A direction is min or max.": "方向须为 min 或 max。",
    "--direction min or max": "--direction min 或 max",
    "No run's config has this key.": "没有训练的配置含有该键。",
    "Keys that differ: {names}.": "有差异的键：{names:list}。",
    "No run has the metric that should choose the checkpoint.": "没有训练记录用于选择检查点的指标。",
    "Give --select_metric one of the runs' metrics, or --at last.": (
        "请将 --select_metric 设为已有指标，或使用 --at last。"
    ),
    "There is no such folder of runs.": "没有该训练记录文件夹。",
    "Pick one of the list.": "请从列表中选择。",
    "The runs must be a folder.": "训练记录须为文件夹。",
    "Give the folder that holds the file.": "请指定该文件所在的文件夹。",
    "The folder of runs does not exist.": "训练记录文件夹不存在。",
    "Give an existing folder.": "请指定已有的文件夹。",
    # ---- doubts of a report
    "runs of one arm differ in more than their seed: {names}": "同一组的训练除种子外还有差异：{names:list}",
    "the arms also differ in: {names}": "各组之间还有差异：{names:list}",
    "did not finish, but count: {names}": "未正常结束，但仍计入：{names:list}",
    "runs end at different steps, from {first} to {last}": "各训练结束的步数不同，从 {first} 到 {last}",
    "there is one arm only ({arm}): nothing to compare": "只有一组（{arm}），无可比较",
    "{metric} has no val/ twin: its own best value is reported, which is optimistic": (
        "{metric} 没有对应的 val/ 指标：报告的是自身最佳值，偏乐观"
    ),
    # ---- why a run does not count
    "still running": "仍在训练",
    "its config has no {keys}": "配置中没有 {keys}",
    "has no {metric}": "没有 {metric}",
    "has no {metric} at step {step} (its steps run from {first} to {last})": (
        "第 {step} 步没有 {metric}（步数从 {first} 到 {last}）"
    ),
    "has no {metric} at step {step}, which {select} chose": "由 {select} 选出的第 {step} 步没有 {metric}",
    "has no {metric} to choose a checkpoint by": "没有用于选择检查点的 {metric}",
    "has {count} values of {metric} and no validation metric to choose among them": (
        "{metric} 有 {count} 个值，却没有可用于选择的验证指标"
    ),
    "its {metric} is {value} throughout": "{metric} 始终为 {value:words}",
    "its {metric} is {value} (step {step})": "{metric} 为 {value:words}（第 {step} 步）",
    "{run} is a later run of the same arm and seed": "{run} 是同组同种子的后一次训练",
    "{run} is a later run of the same arm and seed (they differ in {keys}: group by that too?)": (
        "{run} 是同组同种子的后一次训练（两者的 {keys} 不同，是否也按它分组？）"
    ),
    "not paired: no run of the other arm has its seed": "未配对：另一组没有相同种子",
    "not paired: its config has no seed to pair it by": "未配对：配置中没有种子",
    # ---- folders and uploads
    "{count} files beyond the first {limit} were not read": "超出前 {limit} 个的 {count} 个文件未读取",
    "the folder cannot be opened: {error}": "无法打开文件夹：{error:words}",
    "more than {limit} folders deep: not read": "嵌套超过 {limit} 层，未读取",
    "more than {limit} folders deep": "嵌套超过 {limit} 层",
    "a link out of the folder; not followed": "指向文件夹之外的链接，未跟随",
    "a link; not followed": "链接，未跟随",
    "not a regular file": "不是普通文件",
    "not a CSV, JSONL, event file or zip": "不是 CSV、JSONL、事件文件或 zip",
    "cannot be read: {error}": "无法读取：{error:words}",
    "cannot be unpacked: {error}": "无法解压：{error:words}",
    "more than {size} MB and {files} files together; the rest was not taken": (
        "合计超过 {size} MB 或 {files} 个文件，其余未收取"
    ),
    "more than {limit} members": "文件超过 {limit} 个",
    "{count} members that are no logs were left out": "忽略了 {count} 个不是日志的文件",
    "its name leads out of the archive": "文件名指向压缩包之外",
    "encrypted": "已加密",
    # ---- files that cannot be read
    "could not be read ({kind}: {error})": "无法读取（{kind}: {error:words}）",
    "larger than {limit} bytes": "超过 {limit} 字节",
    "the file cannot be opened: {error}": "无法打开文件：{error:words}",
    "the file cannot be read: {error}": "无法读取文件：{error:words}",
    "the file is empty (0 bytes)": "文件是空的（0 字节）",
    "a line or record is longer than {limit} bytes": "有一行或一条记录超过 {limit} 字节",
    "no numbers in it": "其中没有数字",
    "the file does not start with a TensorBoard record": "文件开头不是 TensorBoard 记录",
    "the file is UTF-16; JSON lines are UTF-8": "文件是 UTF-16 编码；JSON Lines 须为 UTF-8",
    "the file is not text in UTF-8 (UTF-16, or binary); save it as UTF-8": (
        "文件不是 UTF-8 文本（而是 UTF-16 或二进制）；请另存为 UTF-8"
    ),
    "the first line does not name the columns": "首行不是列名",
    "the first line holds numbers, not the names of the columns": "首行是数字，不是列名",
    "not a CSV table: {error}": "不是 CSV 表格：{error:words}",
    "the file holds a header line at most, and no rows": "文件至多只有表头，没有数据行",
    "the file breaks off within its first row": "文件在第一行数据中断开",
    "not an SQLite database": "不是 SQLite 数据库",
    "an SQLite database without trackio's tables": "SQLite 数据库中没有 trackio 的表",
    "the database holds more than {limit} rows": "数据库超过 {limit} 行",
    "the database cannot be read: {error}": "无法读取数据库：{error:words}",
    # ---- notes on files that were read
    "also in the folder, not read as logs: {names}": "文件夹中另有未作为日志读取的文件：{names:list}",
    "the record at byte {position} is damaged; what came before it is shown": (
        "字节 {position} 处的记录已损坏；显示其之前的内容"
    ),
    "{count} records are not TensorBoard events and were passed over": "跳过了 {count} 条非 TensorBoard 事件的记录",
    "{name}: {kind}, not shown": "{name}：{kind:words}，未显示",
    "{count} records of hyperparameters could not be read": "{count} 条超参数记录无法读取",
    "{count} blocks of metrics beyond the first {limit} names are not shown": (
        "超出前 {limit} 个名称的 {count} 块指标未显示"
    ),
    "{count} steps were written more than once; the later value counts": "{count} 步被重复写入，以后写的值为准",
    "{count} values of an attempt that was resumed before them were replaced": (
        "从更早处恢复训练后，先前的 {count} 个值已被替换"
    ),
    "no metric was logged yet": "尚未记录任何指标",
    "{name} ends within a line or record ({bytes} bytes)": "{name} 在一行或一条记录的中间结束（{bytes} 字节）",
    "{name} is larger than {limit} bytes and was not read": "{name} 超过 {limit} 字节，未读取",
    "config changed on resuming: {change}": "恢复训练时配置有变：{change}",
    "{name} is in several logs of the run; the first is shown": "{name} 出现在该训练的多个日志中，显示第一个",
    "its status is not one of {names}": "其状态不属于 {names}",
    "ended with {error}": "结束时出错：{error}",
    "its process is gone without having said how it ended": "进程已消失，没有留下结束状态",
    "no sign of life for {minutes} minutes": "已有 {minutes} 分钟没有动静",
    "{count} rows do not have the header's number of columns and were passed over": (
        "跳过了列数与表头不符的 {count} 行"
    ),
    "{name}: {count} values are text, not numbers, and were passed over": "{name}：跳过了 {count} 个文本值（不是数字）",
    "{count} lines are not JSON objects and were passed over": "跳过了 {count} 行非 JSON 对象",
    "{count} lines could not be read ({problem}); the first is line {line}": (
        "{count} 行无法读取（{problem:words}）；首个为第 {line} 行"
    ),
    "{name}: {count} lists were passed over": "{name}：跳过了 {count} 个列表",
    "not UTF-8; read as Latin-1": "不是 UTF-8，按 Latin-1 读取",
    "{count} columns without a name are not shown": "{count} 个没有名称的列未显示",
    "{name}: {count} more columns of that name are not shown": "{name}：另有 {count} 个同名列未显示",
    "{name}: {count} blocks of a second column of that name are not shown": "{name}：同名第二列的 {count} 块数据未显示",
    "resumed {count} times": "恢复训练 {count} 次",
    "{count} blocks have steps with a fraction; they were rounded": "{count} 块数据的步数有小数，已取整",
    "{count} rows could not be read": "{count} 行无法读取",
}
