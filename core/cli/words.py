"""What the command line alone says: English and Chinese side by side."""

from __future__ import annotations

from ..messages import Template, Vocabulary


class Says(Vocabulary, package="cli"):
    no_image_in_folder = Template("There is no image in this folder.", "该文件夹中没有图片。")
    check_image_path = Template("Check --image_path.", "请检查 --image_path。")
    no_image_usable = Template("No image could be used; see the rejects above.", "没有可用的图片；请看上面列出的原因。")
    marks_once = Template("The marks {begin} and {end} must stand there once.", "标记 {begin} 和 {end} 须各出现一次。")
