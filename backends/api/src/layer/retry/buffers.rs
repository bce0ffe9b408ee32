//! Buffers for calls that are retried.

/// A buffer for each attempt: the first is the one that was passed in, the others have its content and capacity.
pub(super) struct Buffers {
    given: Option<Vec<u8>>,
    held: Vec<u8>,
    capacity: usize,
}

impl Buffers {
    pub(super) fn new(given: Vec<u8>) -> Self {
        Self { held: given.clone(), capacity: given.capacity(), given: Some(given) }
    }

    pub(super) fn next(&mut self) -> Vec<u8> {
        self.given.take().unwrap_or_else(|| {
            let mut buffer = Vec::with_capacity(self.capacity);
            buffer.extend_from_slice(&self.held);
            buffer
        })
    }
}
