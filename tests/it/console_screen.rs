//! The console on a terminal: a pseudo-terminal, and an emulator that wraps text again when it is resized.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use avt::Terminal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::common::*;

/// A run on a terminal.
struct Tty {
    controller: File,
    terminal: Terminal,
    output: Receiver<Vec<u8>>,
    /// Everything that the run has written, and how much of it the emulator has.
    raw: Vec<u8>,
    fed: usize,
    running: Running,
}

fn size(columns: u16, rows: u16) -> Winsize {
    Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 }
}

impl Tty {
    fn start(bench: &Bench, options: &[&str], variables: &[(&str, &str)], (columns, rows): (u16, u16)) -> Self {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        tcsetwinsize(&controller, size(columns, rows)).unwrap();
        let name = ptsname(&controller, Vec::new()).unwrap();
        let mut open = File::options();
        let device = open.read(true).write(true).custom_flags(libc_noctty()).open(name.to_str().unwrap()).unwrap();
        let mut command = bench.command(options);
        command.env("TERM", "xterm-256color").env("LC_ALL", "C.UTF-8").env("TZ", "UTC").env_remove("NO_COLOR");
        command.envs(variables.iter().copied());
        let stdio = |device: &File| Stdio::from(device.try_clone().unwrap());
        let running = command.stdin(Stdio::null()).stdout(stdio(&device)).stderr(stdio(&device)).spawn().unwrap();
        drop((command, device));
        let controller = File::from(controller);
        let (output, mut from) = (channel(), controller.try_clone().unwrap());
        std::thread::spawn(move || {
            let mut buffer = [0; 65_536];
            // An error: the run has ended.
            while let Ok(read @ 1..) = from.read(&mut buffer) {
                if output.0.send(buffer[..read].to_vec()).is_err() {
                    break;
                }
            }
        });
        let terminal = Terminal::with_scrollback(columns.into(), rows.into(), Some(100_000)).unwrap();
        Self { controller, terminal, output: output.1, raw: Vec::new(), fed: 0, running: running.into() }
    }

    /// Waits for more output; false at its end.
    fn read(&mut self) -> bool {
        match self.output.recv_timeout(Duration::from_secs(60)) {
            Ok(bytes) => self.raw.extend(bytes),
            Err(RecvTimeoutError::Disconnected) => return false,
            Err(RecvTimeoutError::Timeout) => panic!("no output; the screen is:\n{}", self.screen()),
        }
        let rest = &self.raw[self.fed..];
        let text = match std::str::from_utf8(rest) {
            Ok(text) => text,
            // The rest of a character follows.
            Err(error) if error.error_len().is_none() => std::str::from_utf8(&rest[..error.valid_up_to()]).unwrap(),
            Err(error) => panic!("{error}: {:?}", String::from_utf8_lossy(rest)),
        };
        self.terminal.feed(text);
        self.fed += text.len();
        true
    }

    /// Whether the emulator has the whole of each frame so far.
    fn is_between_frames(&self) -> bool {
        let raw = String::from_utf8_lossy(&self.raw);
        raw.matches("\x1b[?2026h").count() == raw.matches("\x1b[?2026l").count()
    }

    #[track_caller]
    fn read_until(&mut self, reached: impl Fn(&str) -> bool) {
        let start = Instant::now();
        while !(self.is_between_frames() && reached(&self.screen())) {
            assert!(start.elapsed() < Duration::from_secs(60) && self.read(), "the screen is:\n{}", self.screen());
        }
    }

    /// Waits until `count` more frames were drawn.
    fn read_frames(&mut self, count: usize) {
        let frames = |raw: &[u8]| String::from_utf8_lossy(raw).matches("\x1b[?2026l").count();
        let last = frames(&self.raw) + count;
        while frames(&self.raw) < last || !self.is_between_frames() {
            assert!(self.read(), "the run ended; the screen is:\n{}", self.screen());
        }
    }

    fn resize(&mut self, columns: u16, rows: u16) {
        tcsetwinsize(&self.controller, size(columns, rows)).unwrap();
        self.terminal.resize(columns.into(), rows.into());
    }

    fn screen(&self) -> String {
        let lines = self.terminal.screen().visible_lines();
        lines.map(|line| line.text().trim_end().to_owned() + "\n").collect()
    }

    /// With what has scrolled away.
    fn all(&self) -> Vec<String> {
        self.terminal.screen().all_lines().map(|line| line.text().trim_end().to_owned()).collect()
    }

    /// Reads to the end. Returns the exit status.
    fn end(&mut self) -> Option<i32> {
        while self.read() {}
        self.running.wait().unwrap().code()
    }
}

fn libc_noctty() -> i32 {
    i32::try_from(rustix::fs::OFlags::NOCTTY.bits()).unwrap()
}

/// The rows of frames on a screen.
fn frame_rows(lines: &[String]) -> usize {
    let of_frame = |line: &&String| {
        ["transferring ", "scanning 0", "starting ", "  this run", " now   ", "  done in "].iter().any(|begin| {
            line.starts_with(begin)
                || (begin.starts_with("  ") && line.contains(begin.trim_start()) && line.starts_with("  "))
        })
    };
    lines.iter().filter(of_frame).count()
}

fn bench_with_files() -> Bench {
    let bench = Bench::new();
    bench.write("films/one.mov", noise(1, 900_000));
    bench.write("films/two.mov", noise(2, 300_000));
    bench
}

#[test]
fn a_frame_fits_each_width_and_leaves_nothing_behind() {
    for columns in [60, 100, 200] {
        let bench = bench_with_files();
        let mut tty = Tty::start(&bench, &["--bwlimit", "500K"], &[], (columns, 24));
        let parts = ["of 1.1 MiB", "of 2 files", "this run ", " now", " mean", "limit 500.0 KiB/s", "done in ", "at "];
        tty.read_until(|screen| {
            let file = screen.lines().find(|line| line.contains("films/one.mov"));
            file.is_some_and(|line| line.contains("KiB/s")) && parts.iter().all(|part| screen.contains(part))
        });
        assert_eq!(tty.end(), Some(0));
        let (all, text) = (tty.all(), tty.all().join("\n"));
        assert_eq!(frame_rows(&all), 0, "{text}");
        assert!(text.contains("done: sent 2 files, 1.1 MiB"), "{text}");
    }
}

#[test]
fn resizing_leaves_no_rows_of_earlier_frames() {
    let bench = bench_with_files();
    let mut tty = Tty::start(&bench, &["--bwlimit", "400K"], &[], (120, 24));
    tty.read_until(|screen| screen.contains("films/one.mov"));
    for (columns, rows) in [(60, 24), (35, 24), (200, 30), (80, 12), (120, 24)] {
        tty.resize(columns, rows);
        tty.read_frames(2);
        let all = tty.all();
        let frames = all.iter().filter(|line| line.starts_with("transferring ")).count();
        assert_eq!(frames, 1, "{columns}x{rows}:\n{}", all.join("\n"));
        let files = all.iter().filter(|line| line.contains(" % ") && line.contains("one.mov")).count();
        assert_eq!(files, 1, "{columns}x{rows}:\n{}", all.join("\n"));
    }
    assert_eq!(tty.end(), Some(0));
    assert_eq!(frame_rows(&tty.all()), 0, "{}", tty.all().join("\n"));
}

#[test]
fn lines_are_printed_above_the_frame() {
    let bench = Bench::new();
    for n in 0..150 {
        bench.write(format!("file-{n:03}"), noise(n, 1_000));
    }
    bench.write("large", noise(1000, 400_000));
    let mut tty = Tty::start(&bench, &["-v", "--bwlimit", "300K"], &[], (100, 20));
    assert_eq!(tty.end(), Some(0));
    let all = tty.all();
    for n in 0..150 {
        let lines = all.iter().filter(|line| line.ends_with(&format!("/file-{n:03}"))).count();
        assert_eq!(lines, 1, "{n}:\n{}", all.join("\n"));
    }
    assert_eq!(frame_rows(&all), 0, "{}", all.join("\n"));
}

#[test]
fn hostile_names_change_nothing_but_their_own_row() {
    let bench = Bench::new();
    let name = "\u{202e}gpj\x1b[2J\x1b]0;title\x07\n\u{2066}日本語".repeat(3);
    bench.write(format!("{}/{name}", "d".repeat(100)), noise(1, 300_000));
    let mut tty = Tty::start(&bench, &["--bwlimit", "300K"], &[], (100, 24));
    tty.read_until(|screen| screen.contains("日本語"));
    let screen = tty.screen();
    let row = screen.lines().find(|line| line.contains("日本語")).unwrap();
    assert!(row.contains('…') && row.contains(r"\u{2066}"), "{screen}");
    assert!(screen.lines().any(|line| line.starts_with("transferring ")), "{screen}");
    assert_eq!(tty.end(), Some(0));
    let raw = String::from_utf8_lossy(&tty.raw);
    for sequence in ["\u{202e}", "\u{2066}", "\x1b[2J", "\x1b]0"] {
        assert!(!raw.contains(sequence), "{sequence:?}");
    }
    assert_eq!(frame_rows(&tty.all()), 0, "{}", tty.all().join("\n"));
}

#[test]
fn the_environment_decides_on_signs_and_colors() {
    for (variables, is_ascii, has_color) in
        [(&[("LC_ALL", "C"), ("LANG", "C.UTF-8")][..], true, true), (&[("NO_COLOR", "1")], false, false)]
    {
        let bench = Bench::new();
        bench.write("grün", noise(1, 200_000));
        let mut tty = Tty::start(&bench, &["--bwlimit", "300K"], variables, (100, 24));
        tty.read_until(|screen| screen.contains(if is_ascii { r"gr\u{fc}n" } else { "grün" }));
        assert_eq!(tty.end(), Some(0));
        let raw = String::from_utf8_lossy(&tty.raw);
        assert_eq!((tty.raw.is_ascii(), raw.contains("\x1b[36m")), (is_ascii, has_color), "{variables:?}: {raw}");
    }
}

#[test]
fn other_kinds_of_progress_draw_no_frame() {
    for kind in ["lines", "none", "json"] {
        let bench = Bench::new();
        bench.write("file", noise(1, 200_000));
        let options = ["--bwlimit", "300K", "--progress", kind, "--progress-interval", "100ms"];
        let mut tty = Tty::start(&bench, &options, &[], (100, 24));
        assert_eq!(tty.end(), Some(0));
        let raw = String::from_utf8_lossy(&tty.raw);
        assert!(!raw.contains('\x1b'), "{kind}: {raw}");
        assert_eq!(
            (raw.contains("now file: "), raw.contains("{\"event\":\"status\"")),
            (kind == "lines", kind == "json")
        );
    }
}
