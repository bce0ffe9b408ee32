//! The bandwidth limit in words.

use towpath::Bandwidth;

use super::format::rate;

/// The limit in force, on one line.
pub(crate) fn limit_line(bandwidth: Bandwidth) -> String {
    let each_way = |limit| format!("{} each way", rate(limit).replace(".0 ", " "));
    match bandwidth {
        Bandwidth::Unlimited => "limit: none".to_owned(),
        Bandwidth::Limit(limit) => format!("limit: {}", each_way(limit)),
        Bandwidth::Auto { max_bytes_per_s: None } => "limit: auto, what the others on the link leave".to_owned(),
        Bandwidth::Auto { max_bytes_per_s: Some(max) } => {
            format!("limit: auto, what the others on the link leave, at most {}", each_way(max))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_reported_as_it_is_typed() {
        assert_eq!(limit_line(Bandwidth::Unlimited), "limit: none");
        assert_eq!(limit_line(Bandwidth::Limit(20 << 20)), "limit: 20 MiB/s each way");
        assert_eq!(limit_line(Bandwidth::Limit(1536)), "limit: 1.5 KiB/s each way");
        assert!(limit_line(Bandwidth::Auto { max_bytes_per_s: None }).starts_with("limit: auto"));
        let auto = limit_line(Bandwidth::Auto { max_bytes_per_s: Some(2 << 20) });
        assert!(auto.starts_with("limit: auto") && auto.ends_with("at most 2 MiB/s each way"), "{auto}");
    }
}
