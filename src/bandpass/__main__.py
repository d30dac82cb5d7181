"""``python -m bandpass`` is ``bandpass``."""

from bandpass.cli import main

if __name__ == "__main__":
    main()
