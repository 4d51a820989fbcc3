"""The table of commands: name, where it is, and its line in `vox --help`.

A command's module is imported only when that command runs; `vox "text"` imports none.
"""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    target: str
    """"module:attribute" of the click command, the module below `vox.cli`."""
    help: str


COMMANDS: dict[str, Entry] = {
    "history": Entry("history:history", "List what was spoken; show, export or clear it."),
    "stats": Entry("stats:stats", "Show how much was spoken, and what was saved."),
    "status": Entry("status:status", "Show what is said now and next, and what failed last."),
    "queue": Entry("queue:queue", "List what is being spoken and what waits, in order."),
    "cancel": Entry("queue:cancel", "Cancel jobs that wait or are being spoken."),
    "skip": Entry("queue:skip", "Skip what is being spoken, or else the next job."),
    "stop": Entry("moves:stop", "Cancel everything and be silent at once."),
    "back": Entry("moves:back", "Go back a sentence in what is being spoken."),
    "next": Entry("moves:forward", "Go to the next sentence of what is being spoken."),
    "pause": Entry("pausing:pause", "Pause speech until `vox resume`."),
    "resume": Entry("pausing:resume", "Resume speech after `vox pause`."),
    "mute": Entry("pausing:mute", "Silence what a source sends."),
    "unmute": Entry("pausing:unmute", "Speak again what a muted source sends."),
    "replay": Entry("replay:replay", "Speak a job again, from its kept audio if it is there."),
    "continue": Entry("replay:go_on", "Continue a text that was cut off, from its sentence."),
    "again": Entry("replay:again", "Speak once more what was heard last."),
    "wait": Entry("replay:wait", "Wait until jobs have ended."),
    "daemon": Entry("daemon:daemon", "Start, stop and watch the daemon."),
    "service": Entry("service:service", "Start the daemon with your session, also after a reboot."),
    "speechd": Entry("speechd:speechd", "Let Orca and spd-say speak with vox."),
    "remote": Entry("remote:remote", "Hear on this machine what is spoken on a server."),
    "worker": Entry("worker:worker", "Synthesize for other machines."),
    "workers": Entry("workers:workers", "List the workers that synthesize for this machine."),
    "config": Entry("config:config", "Show and change the settings."),
    "hook": Entry("hook:hook", "Speak what a coding assistant reports through a hook."),
    "inbox": Entry("inbox:inbox", "Speak the .txt files that are dropped into a folder."),
    "backends": Entry("backends:backends", "List, install, remove and test backends."),
    "voices": Entry("voices:voices", "List the voices."),
    "clone": Entry("clone:clone", "Voices made from reference audio."),
    "say-as": Entry("say_as:say_as", "Respell words that a voice says wrongly."),
    "mcp": Entry("mcp:mcp", "Serve MCP: tools with which an assistant speaks."),
    "init": Entry("init:init", "Set up AI assistants, so that they speak through vox."),
    "doctor": Entry("doctor:doctor", "Check that vox has everything it needs."),
    "help": Entry("help:help_", "Show the help of vox, or of a command."),
    "completion": Entry(
        "completion:completion", "Print or install the completion script of a shell."
    ),
}
