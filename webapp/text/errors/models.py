"""`core.models`: the catalogue, weights, devices and memory."""

SENTENCES: dict[str, str] = {
    # ---- catalogue, weights
    "No model has this id.": "没有使用该 id 的模型。",
    "did you mean {names}? python -m core models list": "您是否想用 {names}？运行 python -m core models list 查看全部",
    "The weights of this model are not here.": "本机还没有该模型的权重。",
    "The description of this model is not here.": "本机还没有该模型的结构描述文件。",
    "put {files} into weights/{folder}/": "请将 {files} 放入 weights/{folder}/",
    "This checkpoint cannot be used: {problem}.": "无法使用该检查点：{problem:sentences}。",
    "rename the folder {folder}: letters, digits, dot, dash, underscore only": (
        "请重命名文件夹 {folder}，只用字母、数字、点、连字符和下划线"
    ),
    "{count} .safetensors files in {folder}: keep one, or name it {name}": (
        "{folder} 中有 {count} 个 .safetensors 文件：请只留一个，或将其命名为 {name}"
    ),
    "{path} is missing": "缺少 {path}",
    "{path} is not an open_clip configuration ({kind}: {error})": "{path} 不是 open_clip 配置（{kind}: {error}）",
    "See weights/README.md.": "详见 weights/README.md。",
    "The package {name} is not installed.": "未安装软件包 {name}。",
    "The weight file does not fit the architecture: {keys}": "权重文件与模型结构不符：{keys:words}",
    "Check that the file belongs to this model; fetch it again if it does.": (
        "请确认文件属于该模型；若属于，请重新下载。"
    ),
    "The weight file holds no dictionary of tensors.": "权重文件中没有张量字典。",
    "Not tensors: {keys}": "不是张量：{keys:words}",
    "The file holds more than tensors, or is damaged; it was not opened.": (
        "文件中除张量外还有其他内容，或已损坏，未打开。"
    ),
    "Save it again as .safetensors, or fetch it anew.": "请另存为 .safetensors，或重新下载。",
    "The weight file cannot be read: {error}": "无法读取权重文件：{error:words}",
    "Delete it and fetch it again.": "请删除后重新下载。",
    "open_clip cannot build this configuration: {error}": "open_clip 无法按此配置构建模型：{error}",
    # ---- fetch
    "The download failed: {problem}.": "下载失败：{problem:words}。",
    "Fetch again, or download that address elsewhere and put the file at {path}": (
        "请重新下载；或在别处下载该地址的文件，放到 {path}"
    ),
    "This model is not downloaded.": "该模型无需下载。",
    "{needed} GB are still to come and {free} GB are free.": "还需下载 {needed} GB，可用空间仅 {free} GB。",
    "Make room, or choose another --weights_dir.": "请腾出空间，或另选 --weights_dir。",
    "The folder cannot be made: {error}": "无法创建文件夹：{error:words}",
    "Choose another --weights_dir.": "请另选 --weights_dir。",
    "The file that came has sha256 {found}…, but {source} says {expected}…": (
        "下载的文件 sha256 为 {found}…，而 {source} 记录的是 {expected}…"
    ),
    "Fetch again. If the file was changed on purpose, delete {path} first.": (
        "请重新下载；若文件确为有意更改，请先删除 {path}。"
    ),
    "The file cannot be written: {error}": "无法写入文件：{error:words}",
    "Make room on the disk and fetch again; what is here is kept.": "请清理磁盘后重新下载；已下载的部分会保留。",
    # ---- devices, dtypes
    "The device {name} is not available on this machine.": "本机没有设备 {name}。",
    "Unknown dtype {name}.": "没有名为 {name} 的数据类型。",
    "fp16 on a CPU is many times slower than fp32, and is not offered.": "fp16 在 CPU 上比 fp32 慢许多倍，因此不提供。",
    "Choose bf16, fp32 or auto.": "请选择 bf16、fp32 或 auto。",
    "This CPU has no bf16 instructions: bf16 halves the memory, but most models run slower than in fp32.": (
        "该 CPU 没有 bf16 指令：bf16 可使内存减半，但多数模型比 fp32 慢。"
    ),
    # ---- what a model can do
    "This model has no text tower, hence no logit scale.": "该模型没有文本编码器，因此没有 logit scale。",
    "This model has no text tower.": "该模型没有文本编码器。",
    "This architecture has no patch tokens.": "该结构没有图块 token。",
    "Choose a CLIP model.": "请选择 CLIP 模型。",
    "Choose a ViT.": "请选择 ViT。",
    "A caption of {tokens} tokens was cut to the {limit} that {model} reads: {caption}": (
        "描述有 {tokens} 个 token，已截断为 {model} 可读的 {limit} 个：{caption}"
    ),
    # ---- memory, the manager
    "Memory ran out on the CPU with a single image.": "CPU 内存不足，一张图片也无法处理。",
    "Choose a smaller model, or close other programs.": "请选择较小的模型，或关闭其他程序。",
    "{model}: out of memory on {device}, now {count} images at a time.": (
        "{model}：{device} 内存不足，现改为每次 {count} 张图片。"
    ),
    "{model}: out of memory on {device}, unloaded {count} unused model(s).": (
        "{model}：{device} 内存不足，已卸载 {count} 个闲置模型。"
    ),
    "{model}: moved from {device} to the CPU. {reason}": "{model}：已从 {device} 移到 CPU。{reason:sentences}",
    "Memory ran out on {device} while the model was loading.": "加载模型时 {device} 内存不足。",
    "Choose a smaller model, or --device cpu; or close other programs.": (
        "请选择较小的模型或 --device cpu，或关闭其他程序。"
    ),
    "No model was named.": "没有指定模型。",
    "Name at least one; `python -m core models list`.": "请至少指定一个；用 `python -m core models list` 查看。",
    "{wanted} GiB of models do not fit the {budget} GiB that models may take on {device}.": (
        "这些模型需要 {wanted} GiB，而 {device} 上模型最多可用 {budget} GiB。"
    ),
    "Choose fewer or smaller models, bf16, or another device.": "请减少模型，或选择较小的模型、bf16 或其他设备。",
    "There is no room on {device} beside the models that this job and other waiting jobs hold.": (
        "{device} 已被本任务和其他等待中的任务占用的模型占满。"
    ),
    "Ask for all the models of a job at once, or choose smaller ones.": (
        "请一次申请任务所需的全部模型，或选择较小的模型。"
    ),
    "The model manager was closed.": "模型管理器已关闭。",
    "Stopped while waiting for a model.": "等待模型时已停止。",
}
