#!/usr/bin/env python3
"""Draws what a terminal shows after some seconds of a command, as an SVG: console-picture.py SECONDS SVG SHOWN COMMAND [ARGUMENT]...

SHOWN is the command line above the screen. Needs pyte, a terminal emulator (pip install pyte). Colours follow the light or dark scheme of the reader.
"""

import fcntl
import html
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
import unicodedata

import pyte

COLUMNS, ROWS = 124, 30
CELL_WIDTH, LINE_HEIGHT, FONT_SIZE, MARGIN = 8.4, 19, 14, 16
STYLE = """
  .t { font: %dpx ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; white-space: pre; fill: #24292f }
  .b { fill: #f6f8fa; stroke: #d0d7de }
  .bold { font-weight: 700 }
  .red { fill: #cf222e } .green { fill: #1a7f37 } .brown, .yellow { fill: #8a6100 } .blue { fill: #0969da }
  .cyan { fill: #1b7c83 } .magenta { fill: #8250df } .dim { fill: #6e7781 }
  @media (prefers-color-scheme: dark) {
    .t { fill: #e6edf3 } .b { fill: #0d1117; stroke: #30363d }
    .red { fill: #ff7b72 } .green { fill: #3fb950 } .brown, .yellow { fill: #d29922 } .blue { fill: #58a6ff }
    .cyan { fill: #39c5cf } .magenta { fill: #bc8cff } .dim { fill: #8b949e }
  }
""" % FONT_SIZE


def screen_after(seconds, command):
    """The screen of a terminal in which the command has run for so long."""
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    child, terminal = pty.fork()
    if child == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        os.environ.update(TERM="xterm-256color", COLUMNS=str(COLUMNS), LINES=str(ROWS), LANG="C.UTF-8", LC_ALL="C.UTF-8")
        os.execvp(command[0], command)
    end = time.monotonic() + seconds
    pending = b""
    while time.monotonic() < end:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                pending += os.read(terminal, 65536)
            except OSError:
                sys.exit("console-picture.py: the command ended before its picture was taken:\n" + "\n".join(screen.display))
            # A frame that is drawn in steps (synchronized output) is taken when it is complete.
            if pending.count(b"\x1b[?2026h") <= pending.count(b"\x1b[?2026l"):
                stream.feed(pending)
                pending = b""
    os.kill(child, signal.SIGINT)
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                os.read(terminal, 65536)
            except OSError:
                break
    os.waitpid(child, 0)
    return screen


def runs(line):
    """The parts of a line that look alike: column, text and style."""
    parts = []
    for column in range(COLUMNS):
        cell = line[column]
        style = " ".join(filter(None, [cell.fg.replace("bright", "") if cell.fg != "default" else "", "bold" if cell.bold else ""]))
        if parts and parts[-1][2] == style:
            parts[-1][1] += cell.data
        else:
            parts.append([column, cell.data, style])
    return [(column, text, style) for column, text, style in parts if text.strip()]


def drawing(screen, command):
    lines = [runs(screen.buffer[row]) for row in range(ROWS)]
    while lines and not lines[-1]:
        lines.pop()
    lines = [[(0, "$ " + command, "bold")], *lines]
    width = int(2 * MARGIN + COLUMNS * CELL_WIDTH)
    height = 2 * MARGIN + len(lines) * LINE_HEIGHT
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">',
           "<title>Towpath on a terminal</title>", f"<style>{STYLE}</style>",
           f'<rect class="b" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8"/>']
    for row, parts in enumerate(lines):
        y = MARGIN + row * LINE_HEIGHT + FONT_SIZE
        for column, text, style in parts:
            text = unicodedata.normalize("NFC", text.rstrip())
            lead = len(text) - len(text.lstrip())
            text, column = text.lstrip(), column + lead
            x = MARGIN + column * CELL_WIDTH
            out.append(f'<text class="t {style}" x="{x:.1f}" y="{y}" textLength="{len(text) * CELL_WIDTH:.1f}" '
                       f'xml:space="preserve">{html.escape(text)}</text>')
    out.append("</svg>\n")
    return "\n".join(out).replace('class="t "', 'class="t"')


def main():
    seconds, file, shown, *command = sys.argv[1:]
    screen = screen_after(float(seconds), command)
    with open(file, "w", encoding="utf-8") as picture:
        picture.write(drawing(screen, shown))
    print("\n".join(line.rstrip() for line in screen.display).rstrip())


main()
