"""`core.images`: one image, an archive, a folder."""

SENTENCES: dict[str, str] = {
    # ---- decode
    "The file is empty.": "文件是空的。",
    "The file is larger than {limit} MiB.": "文件超过 {limit} MiB。",
    "This is not an image (JPEG, PNG, WebP, GIF, BMP or TIFF).": "这不是图片（JPEG、PNG、WebP、GIF、BMP 或 TIFF）。",
    "This is {kind}, which is not read.": "这是 {kind:words}，暂不支持。",
    "Convert it to JPEG, PNG, WebP, GIF, BMP or TIFF.": "请转换为 JPEG、PNG、WebP、GIF、BMP 或 TIFF。",
    "The image file is damaged ({error}).": "图片文件已损坏（{error:words}）。",
    "The {kind} file is damaged ({error}).": "{kind} 文件已损坏（{error:words}）。",
    "The image file ends before its image does.": "图片文件不完整：图片数据尚未结束，文件就到了末尾。",
    "The {kind} file ends before its image does.": "{kind} 文件不完整：图片数据尚未结束，文件就到了末尾。",
    "This kind of image is not read ({error}).": "暂不支持这种图片（{error:words}）。",
    "This kind of {kind} is not read ({error}).": "暂不支持这种 {kind}（{error:words}）。",
    "Save it again as an 8-bit JPEG or PNG.": "请另存为 8 位 JPEG 或 PNG。",
    "{width} × {height} px is more than the limit of {limit} megapixels.": (
        "{width} × {height} 像素，超过 {limit} 百万像素的上限。"
    ),
    "There is not enough memory for this image.": "内存不足，无法打开这张图片。",
    "An array has to be uint8 of shape [H, W, 3]; this one is {dtype} {shape}.": (
        "数组须为 uint8，形状 [H, W, 3]；此数组为 {dtype} {shape}。"
    ),
    "The array has no pixels.": "数组中没有像素。",
    "Pixels of mode {mode} (32-bit integers or CIELAB) have no agreed brightness here.": (
        "{mode} 模式的像素（32 位整数或 CIELAB）没有统一的亮度含义。"
    ),
    "Save it as an 8-bit or 16-bit image.": "请另存为 8 位或 16 位图片。",
    "Float pixels have to lie in 0..1; these lie in {lowest}..{highest}.": (
        "浮点像素须在 0..1 之间；此图为 {lowest}..{highest}。"
    ),
    "Scale them, or save an 8-bit or 16-bit image.": "请缩放数值，或另存为 8 位、16 位图片。",
    "This is a folder, not a file.": "这是文件夹，不是文件。",
    "This is not a regular file.": "这不是普通文件。",
    "The file cannot be read: {error}.": "无法读取文件：{error:words}。",
    "The file may not be read: permission denied.": "无权读取该文件。",
    "The symbolic link leads back to itself.": "符号链接指回了自身。",
    "There is no such file (or the link leads nowhere).": "文件不存在（或链接失效）。",
    # ---- archive
    "The archive holds more than {limit} files.": "压缩包内的文件超过 {limit} 个。",
    "The archive unpacks to more than {limit} MiB.": "压缩包解压后超过 {limit} MiB。",
    "The archive unpacks to more than {ratio} times its size, as no photos do.": (
        "压缩包解压后超过自身大小的 {ratio} 倍，照片不会如此。"
    ),
    "Split it into smaller archives.": "请拆分成较小的压缩包。",
    "{what} Split it into smaller archives.": "{what:sentences}请拆分成较小的压缩包。",
    "The archive cannot be read ({error}).": "无法读取压缩包（{error:words}）。",
    "The archive is damaged or not a ZIP ({error}).": "压缩包已损坏，或不是 ZIP（{error:words}）。",
    "{count} files of macOS's own, left out.": "忽略了 macOS 自动生成的 {count} 个文件。",
    "An archive inside the archive is not opened.": "不打开压缩包内的压缩包。",
    "Not an image by its name.": "从文件名看不是图片。",
    "The member is encrypted.": "该文件已加密。",
    "The member is compressed by a method other than deflate.": "该文件的压缩方式不是 deflate。",
    "The member is larger than {limit} MiB.": "该文件超过 {limit} MiB。",
    "The member unpacks to more than {ratio} times its size.": "该文件解压后超过自身大小的 {ratio} 倍。",
    "The member ends too early.": "该文件不完整。",
    "The member is damaged ({error}).": "该文件已损坏（{error:words}）。",
    # ---- sources
    "There is no such file or folder.": "没有该文件或文件夹。",
    "Check the path given as --image_path.": "请检查 --image_path 指定的路径。",
    "The path cannot be read ({error}).": "无法读取该路径（{error:words}）。",
    "Images of the same name were numbered ({names}).": "同名图片已加编号（{names:list}）。",
    "1 file that is not an image by name or hidden: left out ({names}).": (
        "忽略了 1 个非图片或隐藏的文件（{names:list}）。"
    ),
    "{count} files that are not an image by name or hidden: left out ({names}).": (
        "忽略了 {count} 个非图片或隐藏的文件（{names:list}）。"
    ),
    "1 folder inside not entered ({names}).": "未进入 1 个子文件夹（{names:list}）。",
    "{count} folders inside not entered ({names}).": "未进入 {count} 个子文件夹（{names:list}）。",
    "The folder cannot be read ({error}).": "无法读取文件夹（{error:words}）。",
    "The folder cannot be read: {error}.": "无法读取文件夹：{error:words}。",
}
