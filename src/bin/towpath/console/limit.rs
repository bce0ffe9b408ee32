//! The bandwidth limit as text.

use super::format::rate;
use crate::args::bwlimit::BwLimit;

/// The limit in force, on one line; `max_bytes_per_s` is the highest value of `auto`.
pub(crate) fn limit_line(limit: BwLimit, max_bytes_per_s: Option<u64>) -> String {
    let each_way = |limit| format!("{} each way", rate(limit).replace(".0 ", " "));
    let at_most = max_bytes_per_s.map_or_else(String::new, |max| format!(", at most {}", each_way(max)));
    match limit {
        BwLimit::Off => "limit: none".to_owned(),
        BwLimit::Fixed(limit) => format!("limit: {}", each_way(limit)),
        BwLimit::Auto => format!("limit: auto, adapts to other traffic{at_most}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_reported_as_it_is_typed() {
        assert_eq!(limit_line(BwLimit::Off, None), "limit: none");
        assert_eq!(limit_line(BwLimit::Fixed(20 << 20), None), "limit: 20 MiB/s each way");
        assert_eq!(limit_line(BwLimit::Fixed(1536), None), "limit: 1.5 KiB/s each way");
        assert!(limit_line(BwLimit::Auto, None).starts_with("limit: auto"));
        let auto = limit_line(BwLimit::Auto, Some(2 << 20));
        assert!(auto.starts_with("limit: auto") && auto.ends_with("at most 2 MiB/s each way"), "{auto}");
    }
}
