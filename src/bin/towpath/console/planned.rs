//! What a dry run would do, on standard output: a line for each step, and the totals.

use serde_json::Value;
use towpath::{Event, FilePaths, Planned, Timestamp};

use super::text::{count_lines, totals};
use crate::args::Format;
use crate::format::{duration, escape, local_time};

pub(crate) fn sums(
    planned: &Planned,
    special_files: u64,
    seconds: Option<u64>,
    scanned_at: Option<Timestamp>,
) -> String {
    let mut text = format!("would send {}", totals(planned.sent));
    if let Some(seconds) = seconds {
        text += &format!(", in {} at this limit", duration(std::time::Duration::from_secs(seconds)));
    }
    if let Some(scanned_at) = scanned_at {
        text += &format!(
            "\n  as of the scan of {}, whose backlog is resumed; with --rescan both trees are scanned first",
            local_time(scanned_at)
        );
    }
    text += &count_lines(&[
        (planned.linked_files, "hard link to create", "hard links to create"),
        (planned.renamed, "entry to rename to the source's spelling", "entries to rename to the source's spelling"),
        (planned.attribute_files, "file that needs attributes only", "files that need attributes only"),
        (planned.created_dirs, "directory to create", "directories to create"),
        (planned.deleted_files, "extra file to delete", "extra files to delete"),
        (planned.deleted_dirs, "extra directory to remove", "extra directories to remove"),
        (planned.protected, "extra entry to keep, to be safe", "extra entries to keep, to be safe"),
        (planned.failing_files, "file that would fail", "files that would fail"),
        (
            special_files,
            "special file (FIFO, socket, device) to skip",
            "special files (FIFOs, sockets, devices) to skip",
        ),
    ]);
    text + "\nnothing was changed"
}

/// A planned step on one line; `None` for other events.
pub(super) fn planned_line(event: &Event, format: Format) -> Option<String> {
    let Event::Planned { action, paths, size_bytes, reason } = event else { return None };
    if format == Format::Text {
        let size = size_bytes.map_or_else(|| "-".to_owned(), |bytes| bytes.to_string());
        return Some(format!(
            "{:<10} {size:>12}  {}  ({})",
            action.name(),
            escape(&paths.dest),
            escape(reason.to_string().as_bytes())
        ));
    }
    let mut line = serde_json::Map::new();
    line.insert("action".to_owned(), action.name().into());
    put_paths(&mut line, paths);
    line.insert("size".to_owned(), (*size_bytes).into());
    line.insert("reason".to_owned(), reason.to_string().into());
    Some(Value::Object(line).to_string())
}

fn put_paths(line: &mut serde_json::Map<String, Value>, paths: &FilePaths) {
    for (key, path) in [("source", &paths.source), ("dest", &paths.dest)] {
        towpath::json::put_path(key, path, |key, value| drop(line.insert(key.to_owned(), value)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use towpath::{Action, PlanReason, Totals};

    fn planned(name: &[u8]) -> Event {
        let paths = FilePaths::new([b"/old/", name].concat(), [b"/new/", name].concat());
        Event::Planned { action: Action::Send, paths, size_bytes: Some(17), reason: PlanReason::SizeDiffers }
    }

    #[test]
    fn a_step_is_one_line_whatever_its_name() {
        let line = planned_line(&planned(b"a\n\x1b"), Format::Text).unwrap();
        assert_eq!(line, "send                 17  /new/a\\n\\u{1b}  (size differs)");
        let line = planned_line(&planned(b"\xff"), Format::Json).unwrap();
        insta::assert_snapshot!(line, @r#"{"action":"send","source":"/old/�","source_bytes":"2f6f6c642fff","dest":"/new/�","dest_bytes":"2f6e65772fff","size":17,"reason":"size differs"}"#);
    }

    #[test]
    fn the_totals_say_how_long_it_would_take() {
        let mut planned = Planned::default();
        planned.sent = Totals::new(3, 7200 << 20);
        planned.deleted_files = 2;
        planned.failing_files = 1;
        insta::assert_snapshot!(sums(&planned, 4, Some(3600), None), @"
        would send 3 files, 7.0 GiB, in 1:00:00 at this limit
          2 extra files to delete
          1 file that would fail
          4 special files (FIFOs, sockets, devices) to skip
        nothing was changed
        ");
    }
}
