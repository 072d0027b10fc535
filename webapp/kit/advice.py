"""The catalogue's lines of advice in Chinese, by model id. English is the catalogue's own; a test holds the ids."""

from __future__ import annotations

ADVICE_ZH: dict[str, str] = {
    "demo_clip": "内置小模型，用表情符号和渲染头像训练；处理照片请下载真正的 CLIP。",
    "efficientnet_lite0": "始终可用：ImageNet 权重随安装一起提供。小而快；仅支持图片。",
    "openai_clip_vit_b32": "快速的默认选择。ImageNet 零样本 63.3 %。",
    "openai_clip_vit_b16": "比 B/32 看得更细，计算量约为四倍。",
    "openai_clip_vit_l14": "效果强、使用广；超过几百张图片建议用 GPU。零样本 75.5 %。",
    "openai_clip_rn50": "卷积结构的 CLIP，便于与早期工作比较。零样本 59.8 %。",
    "openai_clip_rn101": "更深的卷积 CLIP，便于与早期工作比较。零样本 62.3 %。",
    "open_clip_vit_b32_openai": "OpenAI B/32 的 hub 副本：向量与 openai_clip_vit_b32 相同。",
    "open_clip_vit_b32_laion400m": "在开放数据上训练的 B/32，沿用训练时的 QuickGELU。零样本 62.9 %。",
    "open_clip_vit_b16_laion400m": "在开放数据上训练的 B/16。零样本 67.1 %。",
    "open_clip_vit_b32_laion2b": "这里最好的 B/32，速度与默认模型相同。零样本 66.6 %。",
    "open_clip_vit_l14_laion2b": "推荐在 GPU 上处理大批量图片。零样本 75.3 %。",
    "open_clip_vit_h14_laion2b": "语义最佳，文件四 GB；需要 GPU。零样本 78.0 %。",
    "open_clip_convnext_base": "现代卷积图像塔。零样本 66.3 %。",
    "open_clip_convnext_large": "大而敏锐，输入 320 像素；接近 H/14，计算量不到一半。零样本 76.9 %。",
    "resnet50": "经典基线。",
    "resnet101": "更深的经典模型。",
    "resnet152": "最深的经典 ResNet。",
    "efficientnet_b0": "小巧，就其规模而言很准。",
    "efficientnet_b7": "输入 600 像素：细节丰富，但慢且占内存。",
    "vit_b_16": "仅用 ImageNet 训练的视觉 Transformer。",
    "vit_b_32": "同 vit_b_16，计算量为四分之一。",
    "vit_l_16": "大型 ImageNet Transformer。",
}
