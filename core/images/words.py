"""What `core.images` says: English and Chinese side by side."""

from __future__ import annotations

from ..messages import Template, Vocabulary


class Says(Vocabulary, package="images"):
    too_many_members = Template("The archive holds more than {limit} files.", "压缩包内的文件超过 {limit} 个。")
    archive_inside = Template("An archive inside the archive is not opened.", "不打开压缩包内的压缩包。")
    not_image_by_name = Template("Not an image by its name.", "从文件名看不是图片。")
    member_encrypted = Template("The member is encrypted.", "该文件已加密。")
    rare_compression = Template(
        "The member is compressed by a method other than deflate.", "该文件的压缩方式不是 deflate。"
    )
    split_archive = Template("Split it into smaller archives.", "请拆分成较小的压缩包。")
    archive_unreadable = Template("The archive cannot be read ({error}).", "无法读取压缩包（{error}）。")
    archive_too_large = Template(
        "The archive unpacks to more than {limit:.0f} MiB.", "压缩包解压后超过 {limit:.0f} MiB。"
    )
    archive_packed_too_well = Template(
        "The archive unpacks to more than {ratio:g} times its size, as no photos do.",
        "压缩包解压后超过自身大小的 {ratio:g} 倍，照片不会如此。",
    )
    macos_files = Template("{count} files of macOS's own, left out.", "忽略了 macOS 自动生成的 {count} 个文件。")
    archive_damaged = Template(
        "The archive is damaged or not a ZIP ({error}).", "压缩包已损坏，或不是 ZIP（{error}）。"
    )
    member_too_large = Template("The member is larger than {limit:.0f} MiB.", "该文件超过 {limit:.0f} MiB。")
    member_packed_too_well = Template(
        "The member unpacks to more than {ratio:g} times its size.", "该文件解压后超过自身大小的 {ratio:g} 倍。"
    )
    member_ends_too_early = Template("The member ends too early.", "该文件不完整。")
    member_damaged = Template("The member is damaged ({error}).", "该文件已损坏（{error}）。")
    file_missing = Template("There is no such file (or the link leads nowhere).", "文件不存在（或链接失效）。")
    link_to_itself = Template("The symbolic link leads back to itself.", "符号链接指回了自身。")
    file_forbidden = Template("The file may not be read: permission denied.", "无权读取该文件。")
    file_too_large = Template("The file is larger than {limit:.0f} MiB.", "文件超过 {limit:.0f} MiB。")
    not_an_image = Template(
        "This is not an image (JPEG, PNG, WebP, GIF, BMP or TIFF).", "这不是图片（JPEG、PNG、WebP、GIF、BMP 或 TIFF）。"
    )
    file_damaged = Template("The {kind} file is damaged ({error}).", "{kind} 文件已损坏（{error}）。")
    too_many_pixels = Template(
        "{width} × {height} px is more than the limit of {limit:g} megapixels.",
        "{width} × {height} 像素，超过 {limit:g} 百万像素的上限。",
    )
    not_enough_memory = Template("There is not enough memory for this image.", "内存不足，无法打开这张图片。")
    file_truncated = Template(
        "The {kind} file ends before its image does.", "{kind} 文件不完整：图片数据尚未结束，文件就到了末尾。"
    )
    kind_not_read = Template("This kind of {kind} is not read ({error}).", "暂不支持这种 {kind}（{error}）。")
    array_shape = Template(
        "An array has to be uint8 of shape [H, W, 3]; this one is {dtype} {shape}.",
        "数组须为 uint8，形状 [H, W, 3]；此数组为 {dtype} {shape}。",
    )
    array_empty = Template("The array has no pixels.", "数组中没有像素。")
    no_brightness = Template(
        "Pixels of mode {mode} (32-bit integers or CIELAB) have no agreed brightness here.",
        "{mode} 模式的像素（32 位整数或 CIELAB）没有统一的亮度含义。",
    )
    float_range = Template(
        "Float pixels have to lie in 0..1; these lie in {lowest:g}..{highest:g}.",
        "浮点像素须在 0..1 之间；此图为 {lowest:g}..{highest:g}。",
    )
    a_folder = Template("This is a folder, not a file.", "这是文件夹，不是文件。")
    not_regular = Template("This is not a regular file.", "这不是普通文件。")
    other_kind = Template("This is {kind}, which is not read.", "这是 {kind}，暂不支持。")
    save_as_jpeg_or_png = Template("Save it again as an 8-bit JPEG or PNG.", "请另存为 8 位 JPEG 或 PNG。")
    save_as_8_or_16_bit = Template("Save it as an 8-bit or 16-bit image.", "请另存为 8 位或 16 位图片。")
    scale_or_save = Template("Scale them, or save an 8-bit or 16-bit image.", "请缩放数值，或另存为 8 位、16 位图片。")
    convert = Template(
        "Convert it to JPEG, PNG, WebP, GIF, BMP or TIFF.", "请转换为 JPEG、PNG、WebP、GIF、BMP 或 TIFF。"
    )
    nothing_there = Template("There is no such file or folder.", "没有该文件或文件夹。")
    path_unreadable = Template("The path cannot be read ({error}).", "无法读取该路径（{error}）。")
    check_image_path = Template("Check the path given as --image_path.", "请检查 --image_path 指定的路径。")
    names_numbered = Template("Images of the same name were numbered ({names}).", "同名图片已加编号（{names}）。")
    folder_unreadable = Template("The folder cannot be read ({error}).", "无法读取文件夹（{error}）。")
    file_left_out = Template(
        "1 file that is not an image by name or hidden: left out ({names}).",
        "忽略了 1 个非图片或隐藏的文件（{names}）。",
    )
    files_left_out = Template(
        "{count} files that are not an image by name or hidden: left out ({names}).",
        "忽略了 {count} 个非图片或隐藏的文件（{names}）。",
    )
    folder_not_entered = Template("1 folder inside not entered ({names}).", "未进入 1 个子文件夹（{names}）。")
    folders_not_entered = Template(
        "{count} folders inside not entered ({names}).", "未进入 {count} 个子文件夹（{names}）。"
    )
    film = Template("an MP4 or QuickTime film", "MP4 或 QuickTime 视频")
    photoshop = Template("a Photoshop document", "Photoshop 文档")
    zip_or_office = Template("a ZIP archive or an Office document", "ZIP 压缩包或 Office 文档")
    gzip = Template("a gzip archive", "gzip 压缩包")
