"""The configuration of Sphinx: ``tox -e docs`` builds the pages, with warnings as errors and without a network."""  # noqa: INP001 - Sphinx wants it here

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import conformance  # noqa: E402

project = "Ensemble conformance"
version = release = conformance.__version__
language = "en"
smartquotes = False  # `--` and quotes stand for themselves

extensions = ["myst_parser", "sphinx.ext.autodoc", "docs.generate.extension"]
exclude_patterns = ["_build", "generate"]
nitpick_ignore_regex = [("py:.*", ".*")]  # the classes of torch and Python are documented elsewhere
suppress_warnings = ["myst.strikethrough"]

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3

# Docstrings have single backticks around code.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
add_module_names = False
python_maximum_signature_line_length = 88

html_theme = "furo"
html_title = project
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
