"""Figures as the page writes them: `figure`."""


def figure(value: float) -> str:
    """Four digits, or all of a larger number's with separators."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
