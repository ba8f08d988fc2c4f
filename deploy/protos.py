"""Generate the protocol modules from ``protos/**/*.proto``, or check that they are current.

``python -m deploy.protos`` writes them; ``python -m deploy.protos --check`` generates into a
temporary directory and fails, naming every file, when one differs from the committed one.
The compiler's output depends on nothing but its input and its pinned version.
"""

import argparse
import importlib
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from deploy.errors import ProtosError

REPOSITORY: Final = Path(__file__).resolve().parent.parent
_GENERATED: Final = ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*_pb2_grpc.pyi")
_PLUGINS: Final = ("protoc-gen-mypy", "protoc-gen-mypy_grpc")


def generate(root: Path, out: Path) -> None:
    """Compile every ``.proto`` below ``root/protos`` into ``out``.

    Args:
        root: Directory that holds ``protos``.
        out: Directory the generated tree is written to.

    Raises:
        ProtosError: The compiler or a plugin is missing, or a file does not compile.
    """
    try:
        # A development tool without type information, and no dependency of the product.
        protoc = importlib.import_module("grpc_tools.protoc")
    except ImportError as error:
        raise ProtosError(
            "grpcio-tools is not installed; run `make setup`, which installs the tools"
        ) from error
    sources = sorted(path.relative_to(root).as_posix() for path in root.glob("protos/**/*.proto"))
    if not sources:
        raise ProtosError(f"found no .proto file below {root / 'protos'}; expected at least one")
    plugins = [
        f"--plugin={name}={Path(sys.executable).parent / name}"
        for name in _PLUGINS
        if (Path(sys.executable).parent / name).is_file()
    ]
    if len(plugins) != len(_PLUGINS):
        raise ProtosError("mypy-protobuf is not installed; run `make setup`")
    outputs = [f"--{kind}_out={out}" for kind in ("python", "grpc_python")]
    outputs += [f"--{kind}_out=quiet:{out}" for kind in ("mypy", "mypy_grpc")]
    code = protoc.main(
        ["protoc", f"-I{root}", *plugins, *outputs, *(str(root / name) for name in sources)]
    )
    if code:
        raise ProtosError(f"the protocol compiler ended with {code}; its message is above")


def differences(root: Path, fresh: Path) -> tuple[str, ...]:
    """List generated files that are missing, superfluous or different.

    Args:
        root: Directory that holds the committed ``protos``.
        fresh: Directory that holds the freshly generated tree.

    Returns:
        Relative paths, sorted; empty when both trees agree.
    """
    names = {
        path.relative_to(base).as_posix()
        for base in (root, fresh)
        for pattern in _GENERATED
        for path in (base / "protos").glob(f"**/{pattern}")
    }
    return tuple(
        name
        for name in sorted(names)
        if not (root / name).is_file()
        or not (fresh / name).is_file()
        or (root / name).read_bytes() != (fresh / name).read_bytes()
    )


def verify_current(root: Path) -> None:
    """Raise unless the committed modules are what the compiler makes of the sources.

    Args:
        root: Directory that holds ``protos``.

    Raises:
        ProtosError: A generated file is missing, superfluous or different.
    """
    with tempfile.TemporaryDirectory(prefix="yixin-protos-") as fresh:
        generate(root, Path(fresh))
        found = differences(root, Path(fresh))
    if found:
        raise ProtosError(
            f"{len(found)} generated files are not current: {', '.join(found)};"
            " run `make protos` and commit the result"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Generate or check; for ``python -m deploy.protos``.

    Args:
        arguments: Command line without the program's name; the process's own by default.

    Returns:
        Exit code: 0 done and current, 1 not current or not generated.
    """
    parser = argparse.ArgumentParser(prog="python -m deploy.protos", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail on a difference")
    options = parser.parse_args(arguments)
    try:
        if options.check:
            verify_current(REPOSITORY)
        else:
            generate(REPOSITORY, REPOSITORY)
    except ProtosError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
