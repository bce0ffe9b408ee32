//! The four checksums, computed over a file's blocks in order.

use std::fmt;
use std::str::FromStr;

use blake2::Blake2b512;
use digest::DynDigest;
use md5::Md5;
use sha1::Sha1;
use sha2::Sha256;
use thiserror::Error;

/// A checksum algorithm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// MD5, 128 bit: as md5sum prints it.
    Md5,
    /// SHA-1, 160 bit: as sha1sum prints it.
    Sha1,
    /// SHA-256: as sha256sum prints it.
    #[default]
    Sha256,
    /// BLAKE2b, 512 bit: as b2sum prints it.
    Blake2b,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Md5, Self::Sha1, Self::Sha256, Self::Blake2b];

    /// The name in options, database and log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Blake2b => "blake2b",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        let mut all = Self::ALL.into_iter();
        all.find(|algorithm| algorithm.name() == name).ok_or_else(|| UnknownAlgorithm { name: name.to_owned() })
    }
}

/// There is no checksum algorithm of this name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unknown checksum `{name}`: md5, sha1, sha256 or blake2b")]
#[non_exhaustive]
pub struct UnknownAlgorithm {
    /// The name.
    pub name: String,
}

/// The checksum of a file: lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileHash(String);

impl FileHash {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The hash with these recorded digits.
    pub(crate) fn recorded(digits: String) -> Self {
        Self(digits)
    }
}

impl fmt::Display for FileHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A file's checksum, and how it was computed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Checksum {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The digits.
    pub hash: FileHash,
}

/// A checksum that is being computed.
pub struct Hasher(Box<dyn DynDigest + Send>);

impl Hasher {
    /// Starts a checksum.
    pub fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Md5 => Box::new(Md5::default()),
            Algorithm::Sha1 => Box::new(Sha1::default()),
            Algorithm::Sha256 => Box::new(Sha256::default()),
            Algorithm::Blake2b => Box::new(Blake2b512::default()),
        })
    }

    /// Adds the bytes that follow.
    pub fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    /// The checksum of all bytes added.
    pub fn finish(self) -> FileHash {
        FileHash(hex::encode(self.0.finalize()))
    }

    /// The checksum of `data` alone.
    pub fn hash(algorithm: Algorithm, data: &[u8]) -> FileHash {
        let mut hasher = Self::new(algorithm);
        hasher.update(data);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // The digests of "abc" in RFC 1321, FIPS 180-4 and RFC 7693.
    const ABC: [(Algorithm, &str); 4] = [
        (Algorithm::Md5, "900150983cd24fb0d6963f7d28e17f72"),
        (Algorithm::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (Algorithm::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            Algorithm::Blake2b,
            "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1\
             7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923",
        ),
    ];

    #[test]
    fn gives_the_published_digests() {
        for (algorithm, expected) in ABC {
            assert_eq!(Hasher::hash(algorithm, b"abc").as_str(), expected, "{algorithm}");
        }
    }

    #[test]
    fn names_can_be_parsed() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.name().parse(), Ok(algorithm));
        }
        assert!("crc32".parse::<Algorithm>().is_err());
    }

    proptest! {
        #[test]
        fn block_sizes_change_no_checksum(data in prop::collection::vec(any::<u8>(), 0..2000), block in 1usize..300) {
            for algorithm in Algorithm::ALL {
                let mut hasher = Hasher::new(algorithm);
                for part in data.chunks(block) {
                    hasher.update(part);
                }
                prop_assert_eq!(hasher.finish(), Hasher::hash(algorithm, &data));
            }
        }
    }
}
