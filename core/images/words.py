"""What `core.images` says: English and Chinese side by side."""

from __future__ import annotations

from ..messages import Template, Vocabulary


class Says(Vocabulary, package="images"):
    archive_holds_more_than_files = Template(
        "The archive holds more than {limit} files.", "压缩包内的文件超过 {limit} 个。"
    )
    archive_inside_archive_not_opened = Template(
        "An archive inside the archive is not opened.", "不打开压缩包内的压缩包。"
    )
    not_image_name = Template("Not an image by its name.", "从文件名看不是图片。")
    member_encrypted = Template("The member is encrypted.", "该文件已加密。")
    member_compressed_method_other_than = Template(
        "The member is compressed by a method other than deflate.", "该文件的压缩方式不是 deflate。"
    )
    split_into_smaller_archives = Template("Split it into smaller archives.", "请拆分成较小的压缩包。")
    archive_cannot_read = Template("The archive cannot be read ({error}).", "无法读取压缩包（{error}）。")
    archive_unpacks_more_than_mib = Template(
        "The archive unpacks to more than {limit:.0f} MiB.", "压缩包解压后超过 {limit:.0f} MiB。"
    )
    archive_unpacks_more_than_times = Template(
        "The archive unpacks to more than {ratio:g} times its size, as no photos do.",
        "压缩包解压后超过自身大小的 {ratio:g} 倍，照片不会如此。",
    )
    files_macos_own_left_out = Template(
        "{count} files of macOS's own, left out.", "忽略了 macOS 自动生成的 {count} 个文件。"
    )
    archive_damaged_not_zip = Template(
        "The archive is damaged or not a ZIP ({error}).", "压缩包已损坏，或不是 ZIP（{error}）。"
    )
    member_larger_than_mib = Template("The member is larger than {limit:.0f} MiB.", "该文件超过 {limit:.0f} MiB。")
    member_unpacks_more_than_times = Template(
        "The member unpacks to more than {ratio:g} times its size.", "该文件解压后超过自身大小的 {ratio:g} 倍。"
    )
    member_ends_too_early = Template("The member ends too early.", "该文件不完整。")
    member_damaged = Template("The member is damaged ({error}).", "该文件已损坏（{error}）。")
    there_no_such_file_link = Template(
        "There is no such file (or the link leads nowhere).", "文件不存在（或链接失效）。"
    )
    symbolic_link_leads_back_itself = Template("The symbolic link leads back to itself.", "符号链接指回了自身。")
    file_may_not_read_permission = Template("The file may not be read: permission denied.", "无权读取该文件。")
    file_larger_than_mib = Template("The file is larger than {limit:.0f} MiB.", "文件超过 {limit:.0f} MiB。")
    not_image_jpeg_png_webp = Template(
        "This is not an image (JPEG, PNG, WebP, GIF, BMP or TIFF).", "这不是图片（JPEG、PNG、WebP、GIF、BMP 或 TIFF）。"
    )
    file_damaged = Template("The {kind} file is damaged ({error}).", "{kind} 文件已损坏（{error}）。")
    px_more_than_limit_megapixels = Template(
        "{width} × {height} px is more than the limit of {limit:g} megapixels.",
        "{width} × {height} 像素，超过 {limit:g} 百万像素的上限。",
    )
    there_not_enough_memory_image = Template(
        "There is not enough memory for this image.", "内存不足，无法打开这张图片。"
    )
    file_ends_before_image_does = Template(
        "The {kind} file ends before its image does.", "{kind} 文件不完整：图片数据尚未结束，文件就到了末尾。"
    )
    kind_not_read = Template("This kind of {kind} is not read ({error}).", "暂不支持这种 {kind}（{error}）。")
    array_uint8_shape_h_w = Template(
        "An array has to be uint8 of shape [H, W, 3]; this one is {dtype} {shape}.",
        "数组须为 uint8，形状 [H, W, 3]；此数组为 {dtype} {shape}。",
    )
    array_no_pixels = Template("The array has no pixels.", "数组中没有像素。")
    pixels_mode_32_bit_integers = Template(
        "Pixels of mode {mode} (32-bit integers or CIELAB) have no agreed brightness here.",
        "{mode} 模式的像素（32 位整数或 CIELAB）没有统一的亮度含义。",
    )
    float_pixels_lie_0_1 = Template(
        "Float pixels have to lie in 0..1; these lie in {lowest:g}..{highest:g}.",
        "浮点像素须在 0..1 之间；此图为 {lowest:g}..{highest:g}。",
    )
    folder_not_file = Template("This is a folder, not a file.", "这是文件夹，不是文件。")
    not_regular_file = Template("This is not a regular file.", "这不是普通文件。")
    which_not_read = Template("This is {kind}, which is not read.", "这是 {kind}，暂不支持。")
    save_again_8_bit_jpeg = Template("Save it again as an 8-bit JPEG or PNG.", "请另存为 8 位 JPEG 或 PNG。")
    save_8_bit_16_bit = Template("Save it as an 8-bit or 16-bit image.", "请另存为 8 位或 16 位图片。")
    scale_them_save_8_bit = Template(
        "Scale them, or save an 8-bit or 16-bit image.", "请缩放数值，或另存为 8 位、16 位图片。"
    )
    convert_jpeg_png_webp_gif = Template(
        "Convert it to JPEG, PNG, WebP, GIF, BMP or TIFF.", "请转换为 JPEG、PNG、WebP、GIF、BMP 或 TIFF。"
    )
    there_no_such_file_folder = Template("There is no such file or folder.", "没有该文件或文件夹。")
    path_cannot_read = Template("The path cannot be read ({error}).", "无法读取该路径（{error}）。")
    check_path_given_image_path = Template("Check the path given as --image_path.", "请检查 --image_path 指定的路径。")
    images_same_name_numbered = Template(
        "Images of the same name were numbered ({names}).", "同名图片已加编号（{names}）。"
    )
    folder_cannot_read = Template("The folder cannot be read ({error}).", "无法读取文件夹（{error}）。")
    folder_cannot_read_2 = Template("The folder cannot be read: {error}.", "无法读取文件夹：{error}。")
