//! Direct reads that are started before their bytes are needed: the kernel does not read ahead then.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use tokio::task::JoinHandle;

use super::direct;

/// The most that is read ahead of a file.
pub(crate) const MAX_AHEAD_BYTES: u64 = 8 << 20;

/// The ranges of one file that are being read, each following the one before.
#[derive(Default)]
pub(crate) struct Ahead {
    pieces: VecDeque<Piece>,
}

struct Piece {
    range: Range<u64>,
    state: State,
}

enum State {
    Reading(JoinHandle<io::Result<Vec<u8>>>),
    /// What was not taken yet.
    Read(Vec<u8>),
}

impl Ahead {
    /// Starts to read `length` bytes from `offset`, unless enough is being read.
    pub(crate) fn request(&mut self, file: &Arc<File>, unit: u64, offset: u64, length: u64) {
        match self.end() {
            // More was refused before, or a read elsewhere follows, which ends all this.
            Some(end) if end < offset => return,
            Some(end) if end > offset => self.pieces.clear(),
            _ => {}
        }
        let Ok(bytes) = usize::try_from(length) else { return };
        if bytes == 0 || self.bytes().saturating_add(length) > MAX_AHEAD_BYTES {
            return;
        }
        let file = Arc::clone(file);
        let read = move || {
            let mut buffer = Vec::new();
            direct::read(&file, unit, (offset, bytes), u64::MAX, &mut buffer)?;
            Ok(buffer)
        };
        let state = State::Reading(tokio::task::spawn_blocking(read));
        self.pieces.push_back(Piece { range: offset..offset.saturating_add(length), state });
    }

    fn end(&self) -> Option<u64> {
        self.pieces.back().map(|piece| piece.range.end)
    }

    fn bytes(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.range.end - piece.range.start).sum()
    }

    /// Appends what was read of a range from its start on; whether that is all there is of it. What is missing, also
    /// because of an error, is to be read again.
    pub(crate) async fn take(&mut self, offset: u64, length: usize, buffer: &mut Vec<u8>) -> bool {
        let (mut at, end) = (offset, offset.saturating_add(length as u64));
        while at < end {
            let Some(mut piece) = self.pieces.pop_front() else { return false };
            if piece.range.start != at {
                self.pieces.clear();
                return false;
            }
            let data = match piece.state {
                State::Reading(task) => task.await,
                State::Read(data) => Ok(Ok(data)),
            };
            let Ok(Ok(mut data)) = data else {
                self.pieces.clear();
                return false;
            };
            let is_cut = (data.len() as u64) < piece.range.end - piece.range.start;
            let wanted = usize::try_from(end - at).unwrap_or(usize::MAX).min(data.len());
            buffer.extend_from_slice(&data[..wanted]);
            at += wanted as u64;
            if wanted < data.len() {
                data.drain(..wanted);
                piece.range.start = at;
                self.pieces.push_front(Piece { range: piece.range, state: State::Read(data) });
            } else if is_cut {
                // The end of the file, at least when it was read: the read that follows shows it.
                self.pieces.clear();
                return at == end;
            }
        }
        true
    }
}
