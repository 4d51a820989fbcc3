"""How a block of code is announced: what its language is called, and its number of lines."""

from __future__ import annotations

import re
from typing import Final

from .words import word

_ROWS: Final = """
Ada             ada adb ads
assembly        asm assembly nasm armasm x86asm
AWK             awk gawk
Bash            bats
batch           bat batch cmd dosbatch
BibTeX          bibtex
C               c h
C#              cs csharp c#
C++             cpp c++ cc cxx hpp hxx h++
Clojure         clj clojure cljs
CMake           cmake
COBOL           cobol
CoffeeScript    coffee coffeescript
Crystal         crystal cr
CSS             css
CSV             csv
CUDA            cuda cu
D               d dlang
Dart            dart
diff            diff patch udiff
Dockerfile      dockerfile docker containerfile
DOT             dot graphviz
Elixir          ex exs elixir
Elm             elm
Emacs Lisp      elisp emacs-lisp el
Erlang          erl erlang
F#              fs fsharp f#
Fortran         fortran f90 f95
Go              go golang
GraphQL         graphql gql
Groovy          groovy gradle
Haskell         hs haskell lhs
HCL             hcl tf terraform
HTML            html htm xhtml html+erb jinja jinja2 django handlebars hbs
HTTP            http https
INI             ini cfg conf config properties dosini editorconfig
Java            java
JavaScript      js javascript mjs cjs node jsx
JSON            json json5 jsonc jsonl ndjson geojson
Julia           jl julia
Kotlin          kt kotlin kts
LaTeX           tex latex
Less            less
Lisp            lisp cl common-lisp commonlisp
Lua             lua
Makefile        make makefile mk mf
Markdown        md markdown mdx
MATLAB          matlab
Mermaid         mermaid
Nginx           nginx nginxconf
Nim             nim
Nix             nix
Objective-C     objc objective-c objectivec obj-c
OCaml           ml ocaml
Pascal          pas pascal delphi objectpascal
Perl            pl perl pm
PHP             php php3 php4 php5
PlantUML        plantuml puml
PowerShell      powershell ps ps1 pwsh
Prolog          prolog
Protobuf        proto protobuf
Python          py python python3 python2 py3 pyi pycon ipython gyp
R               r rscript splus
reStructuredText rst restructuredtext
Ruby            rb ruby erb gemspec podspec irb
Rust            rs rust
Sass            sass scss
Scala           scala sc
Scheme          scheme scm racket
shell           sh bash zsh shell fish ksh dash console shell-session shellsession sh-session bash-session terminal
Solidity        sol solidity
SQL             sql mysql postgres postgresql pgsql psql plsql sqlite tsql
Svelte          svelte
Swift           swift
Tcl             tcl
TOML            toml
TypeScript      ts typescript tsx mts cts
Verilog         verilog sv systemverilog
VHDL            vhdl
Vim script      vim viml vimscript
Visual Basic    vb vbnet vba visualbasic
Vue             vue
WebAssembly     wasm wat webassembly
XML             xml xsl xslt xsd svg rss atom plist
YAML            yaml yml
Zig             zig
"""  # noqa: E501
_PLAIN: Final = frozenset("text txt plain plaintext none nohighlight output log raw ascii".split())
"""Words that stand where a language's name would, and name none."""
_NAMES: Final = {
    alias: row[:16].strip()
    for row in _ROWS.strip().splitlines()
    for alias in row[16:].split()
}  # fmt: skip
_CLASS: Final = re.compile(r"\s*\{[^}.]*\.([\w+#-]+)")
_FIRST: Final = re.compile(r"[\s{.]*([\w+#.:-]+)(?![\w+#.:=-])")


def announcement(info: str, lines: int, lang: str) -> str:
    """What is said instead of a block: "code, 12 lines, Python". `info` stands at its fence."""
    count = word(lang, "one line") if lines == 1 else word(lang, "lines").format(lines)
    return ", ".join(filter(None, (word(lang, "code"), count, language(info))))


def language(info: str) -> str:
    """The name of a block's language as it is said; "" if it has none.

    Also as Pandoc and others write it: "{.python .numberLines}", "js{1,3}", "rust,ignore".
    """
    found = _CLASS.match(info) or _FIRST.match(info)
    if not found:
        return ""
    name = found.group(1).strip(".-")
    for known in (name, name.partition(":")[0]):
        if known.lower() in _NAMES:
            return _NAMES[known.lower()]
    return "" if name.lower() in _PLAIN else name
