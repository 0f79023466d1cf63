"""Sphinx's configuration of the site; `python -m website.build` gives it the staged pages."""

from typing import Any

from hw.arch.version import version_text
from website.docstrings import prepared

project = "Rowforge"
author = "the Rowforge authors"
version = release = version_text()
language = "en"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "docs/README"
exclude_patterns = ["**/.ipynb_checkpoints"]

# Markdown: anchors as a plain view of the repository makes them, so that links work in both.
myst_heading_anchors = 6

# Docstrings: sections as NumPy has them, code in single backticks.
default_role = "literal"
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = ["Timing", "Rules", ("Members", "params_style")]
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "show-inheritance": True}

# A type in a docstring may be prose ("words of the buffer"), of which Sphinx takes a word for the name
# of an attribute; that several classes have one is no fault. Links are followed after the build.
suppress_warnings = ["ref.python"]

html_theme = "furo"
html_title = "Rowforge"
html_copy_source = False
html_show_sphinx = False
html_theme_options: dict[str, list[str]] = {"top_of_page_buttons": []}


def setup(app: Any) -> None:
    """Docstrings are prepared before the sections in them are read.

    Of properties and constants that reader takes what stands before a colon for a type: theirs are
    put back after it.
    """
    kept: list[str] = []

    def prepare(_app: Any, _what: str, _name: str, _of: Any, _how: Any, lines: list[str]) -> None:
        lines[:] = kept[:] = prepared(lines)

    def restore(_app: Any, what: str, _name: str, _of: Any, _how: Any, lines: list[str]) -> None:
        if what in ("attribute", "data", "property"):
            lines[:] = kept

    app.connect("autodoc-process-docstring", prepare, priority=400)
    app.connect("autodoc-process-docstring", restore, priority=600)
