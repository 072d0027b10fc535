"""What `core.models` says: English and Chinese side by side."""

from __future__ import annotations

from ..messages import Template, Vocabulary


class Says(Vocabulary, package="models"):
    memory_ran_out_cpu_single = Template(
        "Memory ran out on the CPU with a single image.", "CPU 内存不足，一张图片也无法处理。"
    )
    choose_smaller_model_close_other = Template(
        "Choose a smaller model, or close other programs.", "请选择较小的模型，或关闭其他程序。"
    )
    no_model_id = Template("No model has this id.", "没有使用该 id 的模型。")
    rename_folder_letters_digits_dot = Template(
        "rename the folder {folder!r}: letters, digits, dot, dash, underscore only",
        "请重命名文件夹 {folder!r}，只用字母、数字、点、连字符和下划线",
    )
    safetensors_files_keep_one_name = Template(
        "{count} .safetensors files in {folder}: keep one, or name it {name}",
        "{folder} 中有 {count} 个 .safetensors 文件：请只留一个，或将其命名为 {name}",
    )
    missing = Template("{path} is missing", "缺少 {path}")
    not_open_clip_configuration = Template(
        "{path} is not an open_clip configuration ({kind}: {error})", "{path} 不是 open_clip 配置（{kind}: {error}）"
    )
    weight_file_holds_no_dictionary = Template(
        "The weight file holds no dictionary of tensors.", "权重文件中没有张量字典。"
    )
    not_tensors = Template("Not tensors: {keys}", "不是张量：{keys}")
    file_holds_more_than_tensors = Template(
        "The file holds more than tensors, or is damaged; it was not opened.",
        "文件中除张量外还有其他内容，或已损坏，未打开。",
    )
    weight_file_cannot_read = Template("The weight file cannot be read: {error}", "无法读取权重文件：{error}")
    check_file_belongs_model_fetch = Template(
        "Check that the file belongs to this model; fetch it again if it does.",
        "请确认文件属于该模型；若属于，请重新下载。",
    )
    save_again_safetensors_fetch_anew = Template(
        "Save it again as .safetensors, or fetch it anew.", "请另存为 .safetensors，或重新下载。"
    )
    delete_fetch_again = Template("Delete it and fetch it again.", "请删除后重新下载。")
    device_not_available_machine = Template(
        "The device {name!r} is not available on this machine.", "本机没有设备 {name!r}。"
    )
    fp16_cpu_many_times_slower = Template(
        "fp16 on a CPU is many times slower than fp32, and is not offered.",
        "fp16 在 CPU 上比 fp32 慢许多倍，因此不提供。",
    )
    choose_one_auto = Template("Choose one of: auto, {names}.", "可选：auto, {names}。")
    choose_bf16_fp32_auto = Template("Choose bf16, fp32 or auto.", "请选择 bf16、fp32 或 auto。")
    cpu_no_bf16_instructions_bf16 = Template(
        "This CPU has no bf16 instructions: bf16 halves the memory, but most models run slower than in fp32.",
        "该 CPU 没有 bf16 指令：bf16 可使内存减半，但多数模型比 fp32 慢。",
    )
    model_no_text_tower_hence = Template(
        "This model has no text tower, hence no logit scale.", "该模型没有文本编码器，因此没有 logit scale。"
    )
    architecture_no_patch_tokens = Template("This architecture has no patch tokens.", "该结构没有图块 token。")
    choose_vit = Template("Choose a ViT.", "请选择 ViT。")
    download_failed = Template("The download failed: {problem}.", "下载失败：{problem}。")
    model_not_downloaded = Template("This model is not downloaded.", "该模型无需下载。")
    gb_still_come_gb_free = Template(
        "{needed:.1f} GB are still to come and {free:.1f} GB are free.",
        "还需下载 {needed:.1f} GB，可用空间仅 {free:.1f} GB。",
    )
    fetch_again_download_address_elsewhere = Template(
        "Fetch again, or download that address elsewhere and put the file at {path}",
        "请重新下载；或在别处下载该地址的文件，放到 {path}",
    )
    folder_cannot_made = Template("The folder cannot be made: {error}", "无法创建文件夹：{error}")
    make_room_choose_another_weights = Template(
        "Make room, or choose another --weights_dir.", "请腾出空间，或另选 --weights_dir。"
    )
    file_came_sha256_but_says = Template(
        "The file that came has sha256 {found}…, but {source} says {expected}…",
        "下载的文件 sha256 为 {found}…，而 {source} 记录的是 {expected}…",
    )
    choose_another_weights_dir = Template("Choose another --weights_dir.", "请另选 --weights_dir。")
    fetch_again_if_file_changed = Template(
        "Fetch again. If the file was changed on purpose, delete {path} first.",
        "请重新下载；若文件确为有意更改，请先删除 {path}。",
    )
    file_cannot_written = Template("The file cannot be written: {error}", "无法写入文件：{error}")
    make_room_disk_fetch_again = Template(
        "Make room on the disk and fetch again; what is here is kept.", "请清理磁盘后重新下载；已下载的部分会保留。"
    )
    moved_cpu = Template(
        "{model}: moved from {device} to the CPU. {reason}", "{model}：已从 {device} 移到 CPU。{reason}"
    )
    memory_ran_out_while_model = Template(
        "Memory ran out on {device} while the model was loading.", "加载模型时 {device} 内存不足。"
    )
    no_model_named = Template("No model was named.", "没有指定模型。")
    choose_smaller_model_device_cpu = Template(
        "Choose a smaller model, or --device cpu; or close other programs.",
        "请选择较小的模型或 --device cpu，或关闭其他程序。",
    )
    there_no_room_beside_models = Template(
        "There is no room on {device} beside the models that this job and other waiting jobs hold.",
        "{device} 已被本任务和其他等待中的任务占用的模型占满。",
    )
    name_least_one_python_m = Template(
        "Name at least one; `python -m core models list`.", "请至少指定一个；用 `python -m core models list` 查看。"
    )
    choose_fewer_smaller_models_bf16 = Template(
        "Choose fewer or smaller models, bf16, or another device.", "请减少模型，或选择较小的模型、bf16 或其他设备。"
    )
    ask_all_models_job_once = Template(
        "Ask for all the models of a job at once, or choose smaller ones.",
        "请一次申请任务所需的全部模型，或选择较小的模型。",
    )
    model_manager_closed = Template("The model manager was closed.", "模型管理器已关闭。")
    stopped_while_waiting_model = Template("Stopped while waiting for a model.", "等待模型时已停止。")
    open_clip_cannot_build_configuration = Template(
        "open_clip cannot build this configuration: {error}", "open_clip 无法按此配置构建模型：{error}"
    )
    caption_tokens_cut_reads = Template(
        "A caption of {tokens} tokens was cut to the {limit} that {model} reads: {caption!r}",
        "描述有 {tokens} 个 token，已截断为 {model} 可读的 {limit} 个：{caption!r}",
    )
    normalize_now = Template("normalize was {before}, now {now}", "normalize 原为 {before}，现为 {now}")
    models_now = Template("the models were {before}, now {now}", "模型原为 {before}，现为 {now}")
    passport_canaries_not_list = Template("the passport's canaries are not a list", "来源记录中的校验向量不是列表")
    passport_does_not_hold_canaries = Template(
        "the passport does not hold canaries for every model", "来源记录缺少部分模型的校验向量"
    )
    preprocessing_now = Template(
        "{model}: preprocessing {key} was {before}, now {now}", "{model}：预处理的 {key} 原为 {before}，现为 {now}"
    )
    canary_images_give_other_vectors = Template(
        "{model}: the canary images give other vectors (cosine {cosine:.5f}, at least {least} is needed)",
        "{model}：校验图片得到的向量不同（余弦 {cosine:.5f}，至少须为 {least}）",
    )
    put_into_weights = Template("put {files} into weights/{folder}/", "请将 {files} 放入 weights/{folder}/")
    checkpoint_cannot_used = Template("This checkpoint cannot be used: {problem}.", "无法使用该检查点：{problem}。")
    see_weights_readme_md = Template("See weights/README.md.", "详见 weights/README.md。")
    package_not_installed = Template("The package {name} is not installed.", "未安装软件包 {name}。")
