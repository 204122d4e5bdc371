"""The colours of the app: one hue for everything that is measured, one grey for the rest. No Gradio, no CSS."""

from __future__ import annotations

STEPS = (50, 100, 200, 300, 400, 500, 600, 700, 800, 900, 950)

# Petrol: a single hue from light to dark, so that order survives every kind of colour blindness and a grey print.
RAMP = (
    "#edf6f8", "#d6eaf0", "#b0d5e0", "#82bacb", "#519ab0", "#307d95",
    "#22667c", "#1b5265", "#163f4f", "#112f3c", "#0a1c25",
)  # fmt: skip

# The greys lean towards the hue a little, so that the page looks like one material.
GREY = (
    "#f8f9f9", "#f0f2f2", "#e1e5e6", "#c9d0d2", "#9aa4a8", "#6a757a",
    "#4e585d", "#394247", "#242b2f", "#171c1f", "#0e1214",
)  # fmt: skip

# What speaks against: the other side of a scale whose one side is petrol. Blue and orange are told apart by everyone.
AGAINST_LIGHT = "#d97a12"
AGAINST_DARK = "#f0a04b"

# What went wrong is also said in words and with a mark; the colour only helps to find it.
WARNING_LIGHT = "#a3361f"
WARNING_DARK = "#f0937c"


def css_variables() -> str:
    """The colours as CSS custom properties `--ramp-50` … `--grey-950`, `--warning` and `--against`."""
    pairs = [(f"--ramp-{step}", colour) for step, colour in zip(STEPS, RAMP, strict=True)]
    pairs += [(f"--grey-{step}", colour) for step, colour in zip(STEPS, GREY, strict=True)]
    root = " ".join(f"{name}: {colour};" for name, colour in pairs)
    light = f"--warning: {WARNING_LIGHT}; --against: {AGAINST_LIGHT};"
    dark = f"--warning: {WARNING_DARK}; --against: {AGAINST_DARK};"
    return f":root {{ {root} {light} }} :root .dark {{ {dark} }}"
