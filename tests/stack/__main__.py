"""`python -m tests.stack up|down|status|env`: the stack from a shell."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from tests.stack import Stack, StackError


def up(stack: Stack) -> int:
    """Start it, unless it runs, and print its variables. It runs until `down`."""
    if not stack.running:
        stack.start()
    return env(stack)


def down(stack: Stack) -> int:
    """End it and remove its data."""
    stack.stop()
    return 0


def status(stack: Stack) -> int:
    """Say of each server whether it runs, and where."""
    for server in stack.servers:
        state = f"running  pid {server.pid}  127.0.0.1:{server.port}" if server.running else "stopped"
        sys.stdout.write(f"{server.name:<9} {state}  log {server.log}\n")
    return 0 if stack.running else 1


def env(stack: Stack) -> int:
    """Print the variables that docpipe reads, for `eval`."""
    if not stack.running:
        raise StackError("The stack does not run. Run: make stack")
    sys.stdout.writelines(f"export {name}={value}\n" for name, value in stack.env.items())
    return 0


COMMANDS: dict[str, Callable[[Stack], int]] = {"up": up, "down": down, "status": status, "env": env}


def main() -> int:
    """Run one command; 0 when it worked, 1 with the reason on standard error when not."""
    parser = argparse.ArgumentParser(prog="python -m tests.stack", description=__doc__)
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--dir", default=".stack", help="where ports, keys and logs rest (default: .stack)")
    parser.add_argument("--after-stdin", action="store_true", help="first wait for the end of standard input")
    arguments = parser.parse_args()
    if arguments.after_stdin:
        sys.stdin.read()
        Stack(arguments.dir).kill()
        return 0
    try:
        return COMMANDS[arguments.command](Stack(arguments.dir))
    except StackError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
