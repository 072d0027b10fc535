"""The look: a compact slate theme on system fonts, light and dark, and what it cannot say in `static/page.css`."""

from __future__ import annotations

import gradio as gr

from webapp.kit import assets

SANS = [
    "Inter",
    "system-ui",
    "-apple-system",
    "Segoe UI",
    "PingFang SC",
    "Microsoft YaHei",
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "sans-serif",
]
MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace"]


def theme() -> gr.themes.Base:
    """Gradio's plain base with our colours and small sizes."""
    look = gr.themes.Base(
        primary_hue=gr.themes.colors.indigo,
        secondary_hue=gr.themes.colors.slate,
        neutral_hue=gr.themes.colors.slate,
        spacing_size=gr.themes.sizes.spacing_sm,
        radius_size=gr.themes.sizes.radius_sm,
        text_size=gr.themes.sizes.text_sm,
        font=SANS,
        font_mono=MONO,
    )
    return look.set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="#0b1020",
        background_fill_primary_dark="#121a2e",
        background_fill_secondary_dark="#0d1526",
        block_background_fill="white",
        block_background_fill_dark="#121a2e",
        block_border_width="1px",
        block_border_color="*neutral_200",
        block_border_color_dark="#22304d",
        block_shadow="0 1px 2px rgba(15,23,42,.05)",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_label_border_width="0px",
        block_label_text_weight="600",
        block_label_text_size="*text_sm",
        block_title_text_weight="600",
        block_title_text_size="*text_sm",
        block_title_text_color="*neutral_600",
        block_title_text_color_dark="*neutral_300",
        border_color_primary_dark="#22304d",
        # slate-500 on white and slate-400 on the dark ground: contrast 4.7 and 6.9
        body_text_color_subdued="*neutral_500",
        body_text_color_subdued_dark="*neutral_400",
        input_background_fill="*neutral_50",
        input_background_fill_dark="#0d1526",
        input_border_width="1px",
        input_border_color="*neutral_200",
        input_border_color_dark="#22304d",
        button_large_padding="7px 14px",
        button_large_text_size="*text_md",
        button_small_padding="4px 10px",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_500",
        button_border_width="1px",
        button_primary_border_color="*primary_600",
        button_primary_border_color_dark="*primary_600",
        button_secondary_background_fill="white",
        button_secondary_background_fill_hover="*neutral_100",
        button_secondary_border_color="*neutral_300",
        button_secondary_border_color_hover="*neutral_400",
        button_secondary_border_color_dark="#33456b",
        button_secondary_text_color="*neutral_700",
        button_secondary_background_fill_dark="#1c2942",
        button_secondary_background_fill_hover_dark="#26365a",
        checkbox_label_padding="4px 8px",
        checkbox_label_background_fill="*neutral_50",
        checkbox_label_background_fill_dark="#0d1526",
        layout_gap="10px",
        table_even_background_fill="white",
        table_odd_background_fill="*neutral_50",
        table_even_background_fill_dark="#121a2e",
        table_odd_background_fill_dark="#0f1729",
        table_border_color="*neutral_200",
        table_border_color_dark="#22304d",
    )


def head() -> str:
    """For `launch(head=…)`: the page's style sheets and what the scripts of all tabs share. (`launch(css=…)` would
    rewrite every selector.)"""
    return assets.head(__file__, "page") + assets.head(assets.__file__, "kit")
