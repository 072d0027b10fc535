"""Chinese (simplified). The same keys as `en.py`, in the same order."""

from webapp.text.foreground import ZH as FOREGROUND
from webapp.text.pose import ZH as POSE
from webapp.text.runs import ZH as RUNS
from webapp.text.vectorize import ZH as VECTORIZE

SHELL = {
    "app_line": "在自己的电脑上：图像向量、前景评分、头部姿态、训练对比",
    "switch_language": "English",
    "switch_language_question": "切换语言会重新载入页面，已上传的内容和结果将会消失。要切换吗？",
    "switch_theme": "明暗切换",
    "sign_out": "退出登录",
    "footer_privacy": "所有计算都在提供本页面的机器上完成，数据不会外传。上传的文件在六小时后删除。",
    "footer_parts": "基于 PyTorch、OpenCLIP、torchvision 与 Gradio。",
    "tab_vectorize": "向量化",
    "tab_foreground": "前景",
    "tab_pose": "姿态",
    "tab_runs": "训练",
}

MODELS_PANEL = {
    "models_button": "模型",
    "models_title": "内存中的模型",
    "models_close": "关闭",
    "models_hint": "运行时按需加载模型，闲置一段时间后自动移出内存。",
    "models_none": "尚未加载模型。",
    "models_unload": "卸载空闲模型",
    "models_unload_one": "卸载 {model}",
    "models_unloaded": "已卸载 {count} 个。",
    "models_nothing_to_unload": "没有可卸载的模型。",
    "models_busy": "运行中",
    "models_idle": "空闲 {minutes} 分钟",
    "models_ready": "就绪",
    "models_loading": "加载中",
    "models_evicting": "移出中",
    "models_total": "{count} 个模型，共 {size}",
}

SIGN_IN = {
    "sign_in_title": "CLIP Workbench",
    "sign_in_line": "请先登录。",
    "sign_in_user": "用户名",
    "sign_in_password": "密码",
    "sign_in_enter": "登录",
    "sign_in_wrong": "用户名或密码不正确。",
    "sign_in_locked": "尝试次数过多，请在 {seconds} 秒后重试。",
}

ERRORS = {
    "error_error": "操作未成功",
    "error_input": "无法使用该输入",
    "error_image": "无法使用这张图片",
    "error_unknown_model": "未知模型",
    "error_weights_missing": "本机还没有该模型的权重",
    "error_weights_invalid": "权重文件已损坏，或属于另一个模型",
    "error_package_missing": "缺少软件包",
    "error_network": "网络无响应",
    "error_device": "本机没有该设备",
    "error_out_of_memory": "内存不足",
    "error_budget": "这些模型无法同时放入内存",
    "error_unsupported": "该模型不支持此操作",
    "error_passport": "这些向量不可比较",
    "error_store": "无法使用该向量文件",
    "error_cancelled": "已停止",
    "error_next": "下一步：{step}",
    "error_internal": "程序内部出错",
    "error_internal_detail": "详情见服务器日志，编号 {number}。您的文件没有改动。",
}

WORDS: dict[str, str] = {**SHELL, **MODELS_PANEL, **SIGN_IN, **ERRORS, **VECTORIZE, **FOREGROUND, **POSE, **RUNS}
