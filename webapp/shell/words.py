"""What stands around the tabs, in both languages."""

from core.messages import Template, Vocabulary
from webapp.text import register

register(
    {
        # ---- shell
        "app_line": (
            "Image vectors, foreground scores, head poses and training runs, on your own machine",
            "在自己的电脑上：图像向量、前景评分、头部姿态、训练对比",
        ),
        "switch_language": ("中文", "English"),
        "switch_language_question": (
            "Switching the language loads the page anew: what you dropped here and the results will be gone. Switch?",
            "切换语言会重新载入页面，已上传的内容和结果将会消失。要切换吗？",
        ),
        "switch_theme": ("Light or dark", "明暗切换"),
        "sign_out": ("Sign out", "退出登录"),
        "footer_privacy": (
            "Everything is computed on the machine that serves this page and goes nowhere else. Uploads are deleted "
            "after six hours.",
            "所有计算都在提供本页面的机器上完成，数据不会外传。上传的文件在六小时后删除。",
        ),
        "footer_parts": (
            "Built on PyTorch, OpenCLIP, torchvision and Gradio.",
            "基于 PyTorch、OpenCLIP、torchvision 与 Gradio。",
        ),
        # ---- models panel
        "models_button": ("Models", "模型"),
        "models_title": ("Models in memory", "内存中的模型"),
        "models_close": ("Close", "关闭"),
        "models_hint": (
            "A model is loaded when a run needs it, and leaves memory when it has not been used for a while.",
            "运行时按需加载模型，闲置一段时间后自动移出内存。",
        ),
        "models_none": ("None loaded yet.", "尚未加载模型。"),
        "models_unload": ("Unload idle models", "卸载空闲模型"),
        "models_unload_one": ("Unload {model}", "卸载 {model}"),
        "models_unloaded": ("Unloaded: {count}.", "已卸载 {count} 个。"),
        "models_nothing_to_unload": ("Nothing to unload.", "没有可卸载的模型。"),
        "models_busy": ("at work", "运行中"),
        "models_idle": ("idle {minutes} min", "空闲 {minutes} 分钟"),
        "models_ready": ("ready", "就绪"),
        "models_loading": ("loading", "加载中"),
        "models_evicting": ("leaving", "移出中"),
        "models_total": ("Together {size} ({count})", "{count} 个模型，共 {size}"),
        # ---- sign in
        "sign_in_title": ("CLIP Workbench", "CLIP Workbench"),
        "sign_in_line": ("Sign in to go on.", "请先登录。"),
        "sign_in_user": ("User", "用户名"),
        "sign_in_password": ("Password", "密码"),
        "sign_in_enter": ("Sign in", "登录"),
        "sign_in_wrong": ("User or password is wrong.", "用户名或密码不正确。"),
        "sign_in_locked": (
            "Too many wrong tries. Try again in {seconds} seconds.",
            "尝试次数过多，请在 {seconds} 秒后重试。",
        ),
    }
)


class Says(Vocabulary, package="page.shell"):
    """What `python -m webapp` says of its options."""

    auth_form = Template(
        "--auth is USER:PASSWORD, neither of them empty.", "--auth 的格式为 USER:PASSWORD，两者都不能为空。"
    )
    auth_example = Template("For example: --auth ada:…", "例如：--auth ada:…")
    no_host_name = Template("This is not a host name.", "这不是主机名。")
    give_host_name = Template("Give a name: lab.example.org", "请给出名称，例如 lab.example.org")
    no_ipv6 = Template("IPv6 addresses are not supported as --host.", "--host 不支持 IPv6 地址。")
    use_host = Template("Use 127.0.0.1, 0.0.0.0 or a name.", "请使用 127.0.0.1、0.0.0.0 或名称。")
    port_range = Template("A port is a number from 0 to 65535.", "端口须为 0 到 65535 的数。")
    cannot_listen = Template("Cannot listen there: {reason}.", "无法在此监听：{reason}。")
    name_another_port = Template(
        "Name another with --port, or another address of this machine with --host.",
        "请用 --port 指定其他端口，或用 --host 指定本机的其他地址。",
    )
