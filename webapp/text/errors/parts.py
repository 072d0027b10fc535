"""Parts of sentences: what stands in a gap that the Chinese sentence marks.

`PARTS` are for `{name:words}`: words of core's, and what Python, Pillow and the operating system say in the commonest
cases. `LISTS` are for `{name:list}`: names of the visitor's own, cut short by core, or none.
"""

PARTS: dict[str, str] = {
    # ---- kinds of things
    "(none)": "（无）",
    "positive": "正面",
    "negative": "负面",
    "neutral": "中性",
    "an object": "对象",
    "a list": "列表",
    "text": "文本",
    "true or false": "布尔值",
    "null": " null",
    "a number": "数字",
    "something else": "其他类型",
    "infinite": "无穷大",
    "an MP4 or QuickTime film": "MP4 或 QuickTime 视频",
    "a Photoshop document": "Photoshop 文档",
    "a ZIP archive or an Office document": "ZIP 压缩包或 Office 文档",
    "a gzip archive": "gzip 压缩包",
    "without a suffix": "没有后缀的文件",
    "expressions": "表情",
    "lights": "光照",
    "yaw": "偏航",
    "pitch": "俯仰",
    "roll": "翻滚",
    "yaw and pitch": "偏航、俯仰",
    "yaw and roll": "偏航、翻滚",
    "pitch and roll": "俯仰、翻滚",
    "yaw and pitch and roll": "偏航、俯仰、翻滚",
    # ---- keys of a weight file
    "{count} missing ({names})": "缺少 {count} 个（{names:list}）",
    "{count} unexpected ({names})": "多出 {count} 个（{names:list}）",
    "{count} other shape ({names})": "形状不同 {count} 个（{names:list}）",
    "{count} entries ({names})": "{count} 项（{names:list}）",
    # ---- downloads
    "the connection closed before the end": "连接提前断开",
    "the server answered {status}": "服务器返回 {status}",
    # ---- lines of a log
    "not JSON": "不是 JSON",
    "not UTF-8": "不是 UTF-8",
    # ---- the operating system
    "No such file or directory": "没有该文件或文件夹",
    "Permission denied": "权限不足",
    "Operation not permitted": "操作不被允许",
    "Is a directory": "是文件夹",
    "Not a directory": "不是文件夹",
    "File exists": "文件已存在",
    "File name too long": "文件名过长",
    "No space left on device": "磁盘空间不足",
    "Read-only file system": "文件系统只读",
    "Input/output error": "读写错误",
    "Too many levels of symbolic links": "符号链接层数过多",
    "[Errno {number}] {reason}": "{reason:words}",
    "[Errno {number}] {reason}: {path}": "{reason:words}：{path}",
    # ---- Python's JSON, zip and Unicode
    "Expecting value: line {line} column {column} (char {char})": (
        "第 {line} 行第 {column} 列（字符 {char}）处应为一个值"
    ),
    "Expecting property name enclosed in double quotes: line {line} column {column} (char {char})": (
        "第 {line} 行第 {column} 列（字符 {char}）处应为双引号括起的属性名"
    ),
    "Illegal trailing comma before end of object: line {line} column {column} (char {char})": (
        "第 {line} 行第 {column} 列（字符 {char}）处，对象末尾多了逗号"
    ),
    "Illegal trailing comma before end of array: line {line} column {column} (char {char})": (
        "第 {line} 行第 {column} 列（字符 {char}）处，数组末尾多了逗号"
    ),
    "Expecting ',' delimiter: line {line} column {column} (char {char})": (
        "第 {line} 行第 {column} 列（字符 {char}）处应为“,”"
    ),
    "Expecting ':' delimiter: line {line} column {column} (char {char})": (
        "第 {line} 行第 {column} 列（字符 {char}）处应为“:”"
    ),
    "Unterminated string starting at: line {line} column {column} (char {char})": (
        "第 {line} 行第 {column} 列（字符 {char}）开始的字符串没有结束"
    ),
    "Invalid control character at: line {line} column {column} (char {char})": (
        "第 {line} 行第 {column} 列（字符 {char}）处有非法控制字符"
    ),
    "Invalid \\escape: line {line} column {column} (char {char})": (
        "第 {line} 行第 {column} 列（字符 {char}）处的转义无效"
    ),
    "Extra data: line {line} column {column} (char {char})": "第 {line} 行第 {column} 列（字符 {char}）之后有多余内容",
    "File is not a zip file": "文件不是 zip",
    "Bad CRC-32 for file {name}": "{name} 的 CRC-32 校验不符",
    # ---- Pillow
    "image file is truncated": "图片数据不完整",
    "image file is truncated ({count} bytes not processed)": "图片数据不完整（{count} 字节未处理）",
    "broken data stream when reading image file": "图片数据流已损坏",
    "unrecognized data stream contents when reading image file": "图片数据流无法识别",
    "Truncated File Read": "文件读取不完整",
    "cannot identify image file {name}": "无法识别的图片文件 {name}",
}

LISTS: dict[str, str] = {
    "{names} and {count} more": "{names} 等，另有 {count} 个",
    "{names}, … {count} more": "{names} 等，另有 {count} 个",
    "{names}, …": "{names} 等",
    "{names} …": "{names} 等",
    "none": "无",
    "none yet": "暂无",
    "none differs": "无差异",
}
