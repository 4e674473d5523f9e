"""One thin module a group of commands: parse, call, print."""
