"""English. The same keys as `zh.py`, in the same order."""

from webapp.text.foreground import EN as FOREGROUND
from webapp.text.pose import EN as POSE
from webapp.text.runs import EN as RUNS
from webapp.text.vectorize import EN as VECTORIZE

SHELL = {
    "app_line": "Image vectors, foreground scores, head poses and training runs, on your own machine",
    "switch_language": "中文",
    "switch_language_question": (
        "Switching the language loads the page anew: what you dropped here and the results will be gone. Switch?"
    ),
    "switch_theme": "Light or dark",
    "sign_out": "Sign out",
    "footer_privacy": (
        "Everything is computed on the machine that serves this page and goes nowhere else. "
        "Uploads are deleted after six hours."
    ),
    "footer_parts": "Built on PyTorch, OpenCLIP, torchvision and Gradio.",
    "tab_vectorize": "Vectorize",
    "tab_foreground": "Foreground",
    "tab_pose": "Pose",
    "tab_runs": "Runs",
}

MODELS_PANEL = {
    "models_button": "Models",
    "models_title": "Models in memory",
    "models_close": "Close",
    "models_hint": "A model is loaded when a run needs it, and leaves memory when it has not been used for a while.",
    "models_none": "None loaded yet.",
    "models_unload": "Unload idle models",
    "models_unload_one": "Unload {model}",
    "models_unloaded": "Unloaded: {count}.",
    "models_nothing_to_unload": "Nothing to unload.",
    "models_busy": "at work",
    "models_idle": "idle {minutes} min",
    "models_ready": "ready",
    "models_loading": "loading",
    "models_evicting": "leaving",
    "models_total": "Together {size} ({count})",
}

SIGN_IN = {
    "sign_in_title": "CLIP Workbench",
    "sign_in_line": "Sign in to go on.",
    "sign_in_user": "User",
    "sign_in_password": "Password",
    "sign_in_enter": "Sign in",
    "sign_in_wrong": "User or password is wrong.",
    "sign_in_locked": "Too many wrong tries. Try again in {seconds} seconds.",
}

ERRORS = {
    "error_error": "That did not work",
    "error_input": "This cannot be used",
    "error_image": "This image cannot be used",
    "error_unknown_model": "Unknown model",
    "error_weights_missing": "The model's weights are not here yet",
    "error_weights_invalid": "The weight file is damaged or belongs to another model",
    "error_package_missing": "A package is missing",
    "error_network": "The network does not answer",
    "error_device": "This machine has no such device",
    "error_out_of_memory": "Memory ran out",
    "error_budget": "These models do not fit into memory together",
    "error_unsupported": "This model cannot do that",
    "error_passport": "These vectors cannot be compared",
    "error_store": "The vector file cannot be used",
    "error_cancelled": "Stopped",
    "error_next": "Next: {step}",
    "error_internal": "Something went wrong inside the app",
    "error_internal_detail": "The details are in the log of the server, under {number}. Your files are untouched.",
}

WORDS: dict[str, str] = {**SHELL, **MODELS_PANEL, **SIGN_IN, **ERRORS, **VECTORIZE, **FOREGROUND, **POSE, **RUNS}
