"""`python -m fuzz.one TARGET [libFuzzer's options]`: one target under atheris, `monitor` instrumented."""

import sys


def main() -> None:
    """Never returns: libFuzzer ends the process."""
    import atheris

    with atheris.instrument_imports(include=["monitor"], enable_loader_override=False):
        from fuzz.targets import TARGETS

        for name in TARGETS[sys.argv[1]].reads:
            __import__(f"monitor.{name}")
    run = TARGETS[sys.argv[1]].run
    atheris.Setup([sys.argv[0], *sys.argv[2:]], run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
