//! Subject and issuer of a certificate, as far as an error shows them.

/// Who a certificate is for, and who issued it: `CN=host, O=company`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) subject: String,
    pub(super) issuer: String,
}

/// Tags of the encoding (DER).
const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// Of the version, which is left out in the first one.
const VERSION: u8 = 0xa0;
const LONGEST_SHOWN: usize = 200;

impl Names {
    /// Those of a certificate in DER; `None` if it is none.
    pub(super) fn of(certificate: &[u8]) -> Option<Self> {
        let signed = Values(certificate).next(SEQUENCE)?;
        let mut fields = Values(Values(signed).next(SEQUENCE)?);
        let _version = fields.next(VERSION);
        let (_serial, _algorithm) = (fields.next(INTEGER)?, fields.next(SEQUENCE)?);
        let issuer = shown(fields.next(SEQUENCE)?);
        let _validity = fields.next(SEQUENCE)?;
        Some(Self { subject: shown(fields.next(SEQUENCE)?), issuer })
    }
}

/// Values that follow each other.
struct Values<'a>(&'a [u8]);

impl<'a> Values<'a> {
    /// The content of the next value, if it has this tag.
    fn next(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (found, content) = self.peek()?;
        (found == tag).then(|| self.any().map(|_| content)).flatten()
    }

    fn peek(&self) -> Option<(u8, &'a [u8])> {
        Values(self.0).any()
    }

    fn any(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&length, rest) = rest.split_first()?;
        let (length, rest) = match length {
            0..=0x7f => (usize::from(length), rest),
            // The length of the length.
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
                (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }
}

/// The parts of a name that people know. It is the other side's text: nothing in it controls a terminal.
fn shown(name: &[u8]) -> String {
    let (mut sets, mut parts) = (Values(name), Vec::new());
    while let Some(set) = sets.next(SET) {
        let mut pairs = Values(set);
        while let Some(pair) = pairs.next(SEQUENCE) {
            let mut pair = Values(pair);
            let key = match pair.any() {
                Some((_, [0x55, 0x04, 0x03])) => "CN",
                Some((_, [0x55, 0x04, 0x06])) => "C",
                Some((_, [0x55, 0x04, 0x0a])) => "O",
                Some((_, [0x55, 0x04, 0x0b])) => "OU",
                _ => continue,
            };
            if let Some((_, text)) = pair.any() {
                let text = String::from_utf8_lossy(text).replace(char::is_control, "?");
                parts.push(format!("{key}={text}"));
            }
        }
    }
    if parts.is_empty() {
        return "without a name".to_owned();
    }
    parts.join(", ").chars().take(LONGEST_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    fn localhost() -> Vec<u8> {
        let pem = super::super::tests::PEM;
        let lines: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        STANDARD.decode(lines).unwrap()
    }

    #[test]
    fn subject_and_issuer_are_read() {
        let name = "CN=localhost".to_owned();
        assert_eq!(Names::of(&localhost()), Some(Names { subject: name.clone(), issuer: name }));
    }

    #[test]
    fn texts_of_the_other_side_control_no_terminal() {
        let attribute = |key: u8, text: &[u8]| {
            let value = [&[0x06, 3, 0x55, 0x04, key, 0x0c, text.len() as u8], text].concat();
            let pair = [&[SEQUENCE, value.len() as u8], &value[..]].concat();
            [&[SET, pair.len() as u8], &pair[..]].concat()
        };
        let name = [attribute(0x0a, b"a\x1b[2J\n"), attribute(0x07, b"town"), attribute(0x03, b"host")].concat();
        assert_eq!(shown(&name), "O=a?[2J?, CN=host");
        assert_eq!(shown(b""), "without a name");
    }

    proptest! {
        #[test]
        fn damaged_certificates_are_no_problem(cut in 0..420_usize, at in 0..420_usize, byte in any::<u8>()) {
            let mut certificate = localhost();
            let at = at % certificate.len();
            certificate[at] = byte;
            certificate.truncate(cut);
            let _some = Names::of(&certificate);
        }
    }
}
