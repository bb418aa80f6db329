"""Sphinx configuration."""

from __future__ import annotations

from importlib.metadata import version as installed_version

project = "workflows"
author = "workflows contributors"
project_copyright = "workflows contributors"
release = installed_version("workflows-core")
version = ".".join(release.split(".")[:2])

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinxcontrib.mermaid",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build", "changelog.d", "examples"]
nitpicky = True
# Types of third parties have no inventory that could be read without a network; our own public names must resolve.
nitpick_ignore_regex = [
    (r"py:.*", r"(?!workflows_).*"),
    (r"py:.*", r"workflows_core\.(domain|ports|engine|authoring|adapters)\..*"),
    (r"py:.*", r"workflows_testing\.(conformance|deployments|faults|servers|simulation)\..*"),
    (r"py:.*", r"workflows_litestar\.(openapi|schemas)\..*"),
    (
        r"py:.*",
        r"workflows_sqlalchemy\.((backend|sessions\.sharing)\..*|models\.WorkflowModel|repositories\.(_.*|ModelT))",
    ),
]
myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3
default_role = "py:obj"

autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "shibuya"
html_title = "workflows"
