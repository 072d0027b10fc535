"""The wheel holds `core` under the name `clip_workbench`, so that it stands beside whatever `core` a project has of its
own. All else is in pyproject.toml."""

from setuptools import find_packages, setup

setup(
    package_dir={"clip_workbench": "core"},
    packages=["clip_workbench", *(f"clip_workbench.{name}" for name in find_packages("core"))],
)
