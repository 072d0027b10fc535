"""What `core.models` says: English and Chinese side by side. A model's line of advice stands in its own entry."""

from __future__ import annotations

from ..messages import Template, Vocabulary
from ..settings import COMMAND


class Says(Vocabulary, package="models"):
    # --- which model ---
    no_model_id = Template("No model has this id.", "没有使用该 id 的模型。")
    list_models = Template(f"{COMMAND} models list", f"运行 {COMMAND} models list 查看全部")
    did_you_mean = Template(
        f"did you mean {{names}}? {COMMAND} models list",
        f"您是否想用 {{names}}？运行 {COMMAND} models list 查看全部",
    )
    no_model_named = Template("No model was named.", "没有指定模型。")
    name_one = Template(
        f"Name at least one; `{COMMAND} models list`.", f"请至少指定一个；用 `{COMMAND} models list` 查看。"
    )
    own_checkpoint = Template("Your own checkpoint.", "您自己的检查点。")
    images_only = Template(
        "Images only: its tokenizer is not open_clip's own.", "仅支持图片：其分词器不是 open_clip 自带的。"
    )

    # --- checkpoints that describe themselves ---
    rename_folder = Template(
        "rename the folder {folder!r}: letters, digits, dot, dash, underscore only",
        "请重命名文件夹 {folder!r}，只用字母、数字、点、连字符和下划线",
    )
    no_safetensors = Template(
        "no .safetensors files in {folder}: keep one, or name it {name}",
        "{folder} 中没有 .safetensors 文件：请放入一个，或将其命名为 {name}",
    )
    several_safetensors = Template(
        "several .safetensors files in {folder}: keep one, or name it {name}",
        "{folder} 中有多个 .safetensors 文件：请只留一个，或将其命名为 {name}",
    )
    missing = Template("{path} is missing", "缺少 {path}")
    config_problem = Template("{path}: {problem}", "{path}：{problem}")
    not_open_clip_configuration = Template(
        "{path} is not an open_clip configuration ({kind}: {error})", "{path} 不是 open_clip 配置（{kind}: {error}）"
    )
    not_square = Template(
        "the input is {height}×{width}, only square inputs are supported", "输入为 {height}×{width}，只支持正方形输入"
    )
    transformers_text = Template(
        "its text tower comes from the transformers library, which is not supported",
        "其文本编码器来自 transformers 库，暂不支持",
    )
    coca = Template("CoCa models are not supported", "暂不支持 CoCa 模型")
    resize_mode = Template(
        "resize_mode {mode!r} is not supported (shortest, squash)",
        "不支持 resize_mode {mode!r}（可用 shortest、squash）",
    )
    interpolation = Template(
        "interpolation {mode!r} is not supported (bicubic, bilinear)",
        "不支持 interpolation {mode!r}（可用 bicubic、bilinear）",
    )
    no_safetensors_file = Template("{name} is not a safetensors file", "{name} 不是 safetensors 文件")
    open_clip_cannot_build = Template(
        "open_clip cannot build this configuration: {error}", "open_clip 无法按此配置构建模型：{error}"
    )
    checkpoint_unusable = Template("This checkpoint cannot be used: {problem}.", "无法使用该检查点：{problem}。")
    see_weights_readme = Template("See weights/README.md.", "详见 weights/README.md。")

    # --- weight files ---
    no_dictionary = Template("The weight file holds no dictionary of tensors.", "权重文件中没有张量字典。")
    not_tensors = Template("Not tensors: {count} entries ({names})", "有 {count} 项不是张量（{names}）")
    more_than_tensors = Template(
        "The file holds more than tensors, or is damaged; it was not opened.",
        "文件中除张量外还有其他内容，或已损坏，未打开。",
    )
    save_as_safetensors = Template(
        "Save it again as .safetensors, or fetch it anew.", "请另存为 .safetensors，或重新下载。"
    )
    weights_unreadable = Template("The weight file cannot be read: {error}", "无法读取权重文件：{error}")
    delete_and_fetch = Template("Delete it and fetch it again.", "请删除后重新下载。")
    weights_do_not_fit = Template(
        "The weight file does not fit the architecture: {misfits}", "权重文件与模型结构不符：{misfits}"
    )
    missing_keys = Template("{count} missing ({names})", "缺少 {count} 项（{names}）")
    unexpected_keys = Template("{count} unexpected ({names})", "多出 {count} 项（{names}）")
    misshapen_keys = Template("{count} other shape ({names})", "{count} 项形状不同（{names}）")
    mistyped_keys = Template("{count} other type ({names})", "{count} 项类型不同（{names}）")
    other_type = Template("{name} {found} instead of floats", "{name} {found} 应为浮点数")
    other_shape = Template("{name} {found} instead of {wanted}", "{name} {found} 应为 {wanted}")
    check_weights = Template(
        "Check that the file belongs to this model; fetch it again if it does.",
        "请确认文件属于该模型；若属于，请重新下载。",
    )
    put_into_weights = Template("put {files} into weights/{folder}/", "请将 {files} 放入 weights/{folder}/")
    package_missing = Template("The package {name} is not installed.", "未安装软件包 {name}。")

    # --- downloading ---
    nothing_to_download = Template("This model is not downloaded.", "该模型无需下载。")
    download_failed = Template("The download failed: {problem}.", "下载失败：{problem}。")
    closed_early = Template("the connection closed before the end", "连接提前断开")
    server_answered = Template("the server answered {status}", "服务器返回 {status}")
    fetch_or_place = Template(
        "Fetch again, or download that address elsewhere and put the file at {path}",
        "请重新下载；或在别处下载该地址的文件，放到 {path}",
    )
    no_room = Template(
        "{needed:.1f} GB are still to come and {free:.1f} GB are free.",
        "还需下载 {needed:.1f} GB，可用空间仅 {free:.1f} GB。",
    )
    make_room = Template("Make room, or choose another --weights_dir.", "请腾出空间，或另选 --weights_dir。")
    folder_not_made = Template("The folder cannot be made: {error}", "无法创建文件夹：{error}")
    choose_weights_dir = Template("Choose another --weights_dir.", "请另选 --weights_dir。")
    file_not_written = Template("The file cannot be written: {error}", "无法写入文件：{error}")
    make_room_and_fetch = Template(
        "Make room on the disk and fetch again; what is here is kept.", "请清理磁盘后重新下载；已下载的部分会保留。"
    )
    other_sha256 = Template(
        "The file that came has sha256 {found}…, but {source} says {expected}…",
        "下载的文件 sha256 为 {found}…，而{source}记录的是 {expected}…",
    )
    the_address = Template("the address", "下载地址")
    the_hub = Template("the hub", " hub ")
    written_before = Template("{name}, written before", "先前写下的 {name} ")
    fetch_changed_file = Template(
        "Fetch again. If the file was changed on purpose, delete {path} first.",
        "请重新下载；若文件确为有意更改，请先删除 {path}。",
    )

    # --- device and dtype ---
    no_device = Template("The device {name!r} is not available on this machine.", "本机没有设备 {name!r}。")
    fp16_on_cpu = Template(
        "fp16 on a CPU is many times slower than fp32, and is not offered.",
        "fp16 在 CPU 上比 fp32 慢许多倍，因此不提供。",
    )
    choose_dtype = Template("Choose one of: auto, {names}.", "可选：auto, {names}。")
    choose_cpu_dtype = Template("Choose bf16, fp32 or auto.", "请选择 bf16、fp32 或 auto。")
    slow_bf16 = Template(
        "This CPU has no bf16 instructions: bf16 halves the memory, but most models run slower than in fp32.",
        "该 CPU 没有 bf16 指令：bf16 可使内存减半，但多数模型比 fp32 慢。",
    )

    # --- memory ---
    memory_ran_out_cpu = Template(
        "Memory ran out on the CPU with a single image.", "CPU 内存不足，一张图片也无法处理。"
    )
    choose_smaller = Template("Choose a smaller model, or close other programs.", "请选择较小的模型，或关闭其他程序。")
    memory_ran_out_loading = Template(
        "Memory ran out on {device} while the model was loading.", "加载模型时 {device} 内存不足。"
    )
    choose_smaller_or_cpu = Template(
        "Choose a smaller model, or --device cpu; or close other programs.",
        "请选择较小的模型或 --device cpu，或关闭其他程序。",
    )
    batch_shrunk = Template(
        "{model}: out of memory on {device}, now {count} images at a time.",
        "{model}：{device} 内存不足，现改为每次 {count} 张图片。",
    )
    others_unloaded = Template(
        "{model}: out of memory on {device}, unloaded {count} unused model(s).",
        "{model}：{device} 内存不足，已卸载 {count} 个闲置模型。",
    )
    moved_to_cpu = Template(
        "{model}: moved from {device} to the CPU. {reason}", "{model}：已从 {device} 移到 CPU。{reason}"
    )
    single_image_too_much = Template("It ran out of memory with a single image.", "一张图片也放不下。")
    budget_too_small = Template(
        "{wanted:.2f} GiB of models do not fit the {budget:.2f} GiB that models may take on {device}.",
        "这些模型需要 {wanted:.2f} GiB，而 {device} 上模型最多可用 {budget:.2f} GiB。",
    )
    choose_fewer = Template(
        "Choose fewer or smaller models, bf16, or another device.", "请减少模型，或选择较小的模型、bf16 或其他设备。"
    )
    no_room_beside = Template(
        "There is no room on {device} beside the models that this job and other waiting jobs hold.",
        "{device} 已被本任务和其他等待中的任务占用的模型占满。",
    )
    ask_all_at_once = Template(
        "Ask for all the models of a job at once, or choose smaller ones.",
        "请一次申请任务所需的全部模型，或选择较小的模型。",
    )
    manager_closed = Template("The model manager was closed.", "模型管理器已关闭。")
    stopped_waiting = Template("Stopped while waiting for a model.", "等待模型时已停止。")

    # --- what a model cannot do ---
    no_logit_scale = Template(
        "This model has no text tower, hence no logit scale.", "该模型没有文本编码器，因此没有 logit scale。"
    )
    no_patch_tokens = Template("This architecture has no patch tokens.", "该结构没有图块 token。")
    choose_vit = Template("Choose a ViT.", "请选择 ViT。")
    caption_cut = Template(
        "A caption of {tokens} tokens was cut to the {limit} that {model} reads: {caption!r}",
        "描述有 {tokens} 个 token，已截断为 {model} 可读的 {limit} 个：{caption!r}",
    )

    # --- passports ---
    passport_format = Template(
        "the passport has format {found!r}, this version reads {known}",
        "来源记录的格式为 {found!r}，本版本只读 {known}",
    )
    normalize_changed = Template("normalize was {before}, now {now}", "normalize 原为 {before}，现为 {now}")
    models_changed = Template("the models were {before}, now {now}", "模型原为 {before}，现为 {now}")
    no_models = Template("none", "无")
    weights_changed = Template(
        "{model}: the weights were {before}, now {now}", "{model}：权重原为 {before}，现为 {now}"
    )
    architecture_changed = Template(
        "{model}: the architecture was {before}, now {now}", "{model}：结构原为 {before}，现为 {now}"
    )
    dim_changed = Template("{model}: the dimension was {before}, now {now}", "{model}：维度原为 {before}，现为 {now}")
    preprocessing_changed = Template(
        "{model}: preprocessing {key} was {before}, now {now}", "{model}：预处理的 {key} 原为 {before}，现为 {now}"
    )
    part_changed = Template("{model}: {part} was {before}, now {now}", "{model}：{part} 原为 {before}，现为 {now}")
    not_recorded = Template(
        "{model}: {part} not recorded, the file is of version 0.1",
        "{model}：未记录 {part}，文件由 0.1 版写出",
    )
    dtype_changed = Template("{model}: dtype was {before}, now {now}", "{model}：数据类型原为 {before}，现为 {now}")
    mode_changed = Template(
        "{model}: preprocessing mode was {before}, now {now}", "{model}：预处理方式原为 {before}，现为 {now}"
    )
    device_changed = Template("{model}: device was {before}, now {now}", "{model}：设备原为 {before}，现为 {now}")
    library_changed = Template(
        "{model}: {library} was {before}, now {now}", "{model}：{library} 原为 {before}，现为 {now}"
    )
    canaries_not_list = Template("the passport's canaries are not a list", "来源记录中的校验向量不是列表")
    canaries_missing = Template("the passport does not hold canaries for every model", "来源记录缺少部分模型的校验向量")
    canaries_differ = Template(
        "{model}: the canary images give other vectors (cosine {cosine:.5f}, at least {least} is needed)",
        "{model}：校验图片得到的向量不同（余弦 {cosine:.5f}，至少须为 {least}）",
    )

    # --- `models check` and `models bench` ---
    recorded_sha256 = Template(
        "The file has sha256 {found}…, {recorded}… was recorded when it was fetched.",
        "文件的 sha256 为 {found}…，下载时记录的是 {recorded}…。",
    )
    delete_then = Template("Delete it, then {command}", "请删除后运行 {command}")
    not_finite = Template("The model gives values that are not finite.", "模型给出的值含 NaN 或无穷大。")
    fetch_again = Template("Fetch it again.", "请重新下载。")
    other_dim = Template(
        "The model gives {found} values, the catalogue says {expected}.",
        "模型给出 {found} 个值，目录记录为 {expected} 个。",
    )
    no_dtype_named = Template("No dtype was named.", "没有指定数据类型。")
    choose_any_dtype = Template("Choose auto, fp32, bf16 or fp16.", "请选择 auto、fp32、bf16 或 fp16。")
