"""`python -m agentaudio`: the command line."""

from agentaudio.cli import main

if __name__ == "__main__":
    main()
