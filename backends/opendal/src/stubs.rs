//! Objects that stand for directories.

/// Whether user metadata of this key mark a stub.
pub(crate) fn is_key(key: &str) -> bool {
    key.eq_ignore_ascii_case("hdi_isfolder")
}

/// Whether an object is the stub of a directory.
pub(crate) fn is_stub(found: &opendal::Metadata) -> bool {
    let is_folder = |(key, value): (&str, &str)| is_key(key) && value.eq_ignore_ascii_case("true");
    found.content_length() == 0 && found.user_metadata().is_some_and(|metadata| metadata.into_iter().any(is_folder))
}

/// The directory that an empty object of this name stands for, as older clients of Hadoop write it (`NAME_$folder$`).
pub(crate) fn of_hadoop(name: &str, size_bytes: u64) -> Option<&str> {
    name.strip_suffix("_$folder$").filter(|dir| size_bytes == 0 && !dir.is_empty())
}
