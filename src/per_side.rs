//! A value for each of the two trees.

use std::ops::{Index, IndexMut};

use crate::event::Side;

/// One value for the source and one for the sink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PerSide<T> {
    pub(crate) source: T,
    pub(crate) sink: T,
}

impl<T> PerSide<T> {
    /// Both values, each with its side, the source's first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Side, &T)> {
        [(Side::Source, &self.source), (Side::Sink, &self.sink)].into_iter()
    }
}

impl<T> Index<Side> for PerSide<T> {
    type Output = T;

    fn index(&self, side: Side) -> &T {
        match side {
            Side::Source => &self.source,
            Side::Sink => &self.sink,
        }
    }
}

impl<T> IndexMut<Side> for PerSide<T> {
    fn index_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Source => &mut self.source,
            Side::Sink => &mut self.sink,
        }
    }
}
