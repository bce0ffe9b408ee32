//! Recognizes files that cannot be lists of patterns: UTF-16 text, and anything with NUL bytes.

use super::bad_pattern::{BadPattern, PatternProblem};

/// Rejects a text that cannot be a list of patterns.
pub(super) fn check(text: &[u8]) -> Result<(), BadPattern> {
    let has_mark = text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff");
    let Some(nul) = text.iter().position(|&byte| byte == 0).or(has_mark.then_some(0)) else { return Ok(()) };
    // Every other byte of ASCII in UTF-16 is 0, which the first line shows.
    let start = &text[..text.len().min(64)];
    let zeros = |parity: usize| start.iter().skip(parity).step_by(2).filter(|&&byte| byte == 0).count();
    let is_utf_16 = has_mark || zeros(0).max(zeros(1)) * 4 > start.len();
    let line = text[..nul].iter().filter(|&&byte| byte == b'\n').count();
    let shown = text.split(|&byte| byte == b'\n').nth(line).unwrap_or_default();
    // Without bytes that would be shown as escapes: marks, NUL bytes, the end of a line.
    let pattern = shown.iter().copied().filter(|byte| !matches!(byte, 0 | 0xfe | 0xff | b'\r')).take(80).collect();
    let problem = if is_utf_16 { PatternProblem::Utf16 } else { PatternProblem::NotAList };
    Err(BadPattern { line: Some(line + 1), pattern, problem })
}

#[cfg(test)]
mod tests {
    use super::super::Rule;

    #[test]
    fn utf_16_text_is_rejected_with_and_without_a_byte_order_mark() {
        let little: Vec<u8> = "cache/\r\n*.tmp\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = "cache/\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
        for text in [little.clone(), [b"\xff\xfe", &little[..]].concat(), [b"\xfe\xff", &big[..]].concat(), big] {
            let bad = Rule::list(&text).unwrap_err().to_string();
            assert!(bad.starts_with("line 1: pattern `cache/` is UTF-16") && bad.contains("iconv"), "{bad}");
        }
    }

    #[test]
    fn a_nul_byte_is_rejected_and_a_utf_8_byte_order_mark_is_not() {
        let bad = Rule::list(b"a\nb\0c\n").unwrap_err().to_string();
        assert!(bad.starts_with("line 2: pattern `bc` contains a NUL byte"), "{bad}");
        assert!(Rule::exclude(b"a\0").unwrap_err().to_string().contains("NUL"));
        assert_eq!(Rule::list(b"\xef\xbb\xbf*.tmp\n").unwrap().len(), 1);
        assert_eq!(Rule::list(b"caf\xe9\n\xff\n").unwrap().len(), 2);
    }
}
