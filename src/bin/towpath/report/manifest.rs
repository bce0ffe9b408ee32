//! The digest of a manifest, and the signature beside it.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use minisign::{PublicKey, PublicKeyBox, SignatureBox};
use towpath::{Algorithm, Hasher};

use super::model::{Manifest, Signature, SignatureCheck};

/// Reads a manifest and its signature. `key`: the public key, or the file that has it.
///
/// # Errors
/// One line: a file that cannot be read, or is no key or signature.
pub(super) fn read(path: &Path, key: Option<&str>) -> Result<Manifest, String> {
    let failed = |error: std::io::Error| format!("cannot read the manifest {}: {error}", path.display());
    let key = key.map(public_key).transpose()?;
    let mut file = BufReader::with_capacity(1 << 20, File::open(path).map_err(failed)?);
    let (mut hasher, mut buffer, mut bytes) = (Hasher::new(Algorithm::Sha256), vec![0; 1 << 20], 0);
    loop {
        let read = file.read(&mut buffer).map_err(failed)?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
        bytes += read as u64;
    }
    let signature = signature(path, key.as_ref())?;
    if signature.is_none() && key.is_some() {
        return Err(format!("there is no signature {}.minisig to be checked", path.display()));
    }
    let sha256 = hasher.finish().to_string();
    Ok(Manifest { path: path.as_os_str().as_bytes().into(), bytes, sha256, signature })
}

fn public_key(key: &str) -> Result<PublicKey, String> {
    let text = match fs::read_to_string(key) {
        Ok(text) => text,
        // Not a file: the key itself.
        Err(_) => key.to_owned(),
    };
    let failed =
        |error: minisign::PError| format!("{key} is neither a public key of minisign nor a file with one: {error}");
    match text.trim().contains('\n') {
        true => PublicKeyBox::from_string(&text).and_then(PublicKeyBox::into_public_key).map_err(failed),
        false => PublicKey::from_base64(text.trim()).map_err(failed),
    }
}

fn signature(manifest: &Path, key: Option<&PublicKey>) -> Result<Option<Signature>, String> {
    let mut path = manifest.as_os_str().to_owned();
    path.push(".minisig");
    let shown = Path::new(&path).display().to_string();
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("cannot read the signature {shown}: {error}")),
    };
    let failed = |error: minisign::PError| format!("{shown} is no signature of minisign: {error}");
    let signature = SignatureBox::from_string(&text).map_err(failed)?;
    let check = match key {
        None => SignatureCheck::NotChecked,
        Some(key) => {
            let file = File::open(manifest).map_err(|error| format!("cannot read {}: {error}", manifest.display()))?;
            match minisign::verify(key, &signature, file, true, false, false) {
                Ok(()) => SignatureCheck::Valid,
                Err(_) => SignatureCheck::Invalid,
            }
        }
    };
    // minisign shows the bytes in the other order.
    let key_id: Vec<u8> = signature.keynum().iter().rev().copied().collect();
    let trusted_comment = signature.trusted_comment().map_err(failed)?;
    Ok(Some(Signature { key_id: hex::encode_upper(key_id), trusted_comment, check }))
}
