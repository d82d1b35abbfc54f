"""Build the compiled engine: every `src_cython/chipsim/**/*.pyx` becomes the extension module of the same dotted name.

The flags keep results equal to the bit on every machine: no fused multiply-add, no reassociation, no instruction set
beyond the platform's baseline. Generated C goes to build/. The chip files of `chipdefs/` are installed as the package
`chipsim.chipdefs`. Everything else about the package stands in pyproject.toml.
"""
from __future__ import annotations

import os
from pathlib import Path

from setuptools import Extension, find_packages, setup

SOURCES = Path("src_cython")
FLAGS = ["-O3", "-ffp-contract=off", "-fno-math-errno"] if os.name == "posix" else []
DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
}


def extensions() -> list[Extension]:
    """The extension modules, cythonized; none where there is no .pyx."""
    modules = [
        Extension(
            ".".join(pyx.relative_to(SOURCES).with_suffix("").parts),
            [str(pyx)],
            define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
            extra_compile_args=FLAGS,
        )
        for pyx in sorted(SOURCES.glob("chipsim/**/*.pyx"))
    ]
    if not modules:
        return []
    from Cython.Build import cythonize  # not wanted by commands that build nothing

    return cythonize(
        modules, include_path=[str(SOURCES)], build_dir="build/cython", compiler_directives=DIRECTIVES, quiet=True
    )


setup(
    packages=[*find_packages(include=["chipsim", "chipsim.*"]), "chipsim.chipdefs"],
    package_dir={"chipsim.chipdefs": "chipdefs"},
    ext_modules=extensions(),
    options={"build_ext": {"parallel": os.cpu_count()}},
)
