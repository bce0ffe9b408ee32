//! What a tree reports while its requests wait for the storage.

/// Why requests to a storage wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WaitReason {
    /// The service asks for fewer requests.
    Throttled,
    /// The storage does not answer.
    Unavailable,
    /// The credentials have expired, and new ones are not there yet.
    Credentials,
}

/// Learns that requests of a tree wait, and that they go on.
///
/// Called from any task; an implementation must return soon.
pub trait WaitObserver: Send + Sync {
    /// Requests have been waiting for some seconds, or will be. Not called again until [`Self::resumed`] was.
    fn waiting(&self, reason: WaitReason, cause: &str);

    /// A request that waited has succeeded.
    fn resumed(&self);
}
