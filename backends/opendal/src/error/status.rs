//! The HTTP status in an error of OpenDAL.

/// The status of a server's answer, which OpenDAL keeps in what it shows of an error alone.
pub(crate) fn http_status(error: &opendal::Error) -> Option<u16> {
    let shown = error.to_string();
    let (_, status) = shown.split_once("response: Parts { status: ")?;
    status.split_once(',')?.0.parse().ok()
}
