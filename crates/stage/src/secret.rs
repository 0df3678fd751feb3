//! Secrets: texts that cannot print, and the sealing of camera passwords at rest.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead as _, AeadCore as _, KeyInit as _, OsRng};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};

/// What sealed texts begin with.
const PREFIX: &str = "sealed:v1:";

/// A text that prints as `***`.
#[derive(Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes the text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Why a key or a sealed text cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The key file cannot be read or made.
    #[error("the key file {path}: {reason}")]
    KeyFile {
        /// Which file.
        path: String,
        /// Why.
        reason: String,
    },
    /// Not 32 bytes as base64.
    #[error("the key must be 32 bytes as base64 (44 characters)")]
    Key,
    /// The text was sealed with another key, or changed.
    #[error(
        "a sealed text cannot be opened: it was sealed with another key, or changed; set the same `secret_key` in the configuration of every machine"
    )]
    Open,
}

/// The key that seals secrets before they are stored (ChaCha20-Poly1305, RFC 8439).
#[derive(Clone)]
pub struct SealKey(Key);

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(***)")
    }
}

impl SealKey {
    /// From base64.
    ///
    /// # Errors
    /// [`SecretError::Key`].
    pub fn from_base64(text: &str) -> Result<Self, SecretError> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| SecretError::Key)?;
        let key: [u8; 32] = bytes.try_into().map_err(|_| SecretError::Key)?;
        Ok(Self(Key::from(key)))
    }

    /// Reads the key from a file, or makes one there that only its owner can read.
    ///
    /// # Errors
    /// [`SecretError::KeyFile`] or [`SecretError::Key`].
    pub fn load_or_create(path: &Path) -> Result<Self, SecretError> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let failed = |error: std::io::Error| SecretError::KeyFile {
            path: path.display().to_string(),
            reason: error.to_string(),
        };
        match std::fs::File::open(path) {
            Ok(mut file) => {
                let mut text = String::new();
                file.read_to_string(&mut text).map_err(failed)?;
                Self::from_base64(&text)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let key = ChaCha20Poly1305::generate_key(&mut OsRng);
                let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
                let mut file = match made {
                    // Another process of this machine was faster.
                    Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Self::wait_for(path),
                    made => made.map_err(failed)?,
                };
                writeln!(file, "{}", STANDARD.encode(key)).map_err(failed)?;
                file.sync_all().map_err(failed)?;
                Ok(Self(key))
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// The key that another process is writing just now.
    fn wait_for(path: &Path) -> Result<Self, SecretError> {
        for _ in 0..50 {
            if let Ok(text) = std::fs::read_to_string(path)
                && text.ends_with('\n')
            {
                return Self::from_base64(&text);
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        Err(SecretError::Key)
    }

    /// Seals a text.
    #[must_use]
    pub fn seal(&self, text: &str) -> String {
        let nonce = ChaCha20Poly1305::generate_nonce(&mut OsRng);
        // Encrypting can only fail for texts of more than 256 GB.
        let sealed = ChaCha20Poly1305::new(&self.0).encrypt(&nonce, text.as_bytes()).unwrap_or_default();
        format!("{PREFIX}{}", STANDARD.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// Opens a sealed text; a text that is not sealed is returned as it is.
    ///
    /// # Errors
    /// [`SecretError::Open`].
    pub fn open(&self, text: &str) -> Result<String, SecretError> {
        let Some(body) = text.strip_prefix(PREFIX) else { return Ok(text.to_owned()) };
        let bytes = STANDARD.decode(body).map_err(|_| SecretError::Open)?;
        let (nonce, sealed) = bytes.split_at_checked(12).ok_or(SecretError::Open)?;
        let plain = ChaCha20Poly1305::new(&self.0).decrypt(Nonce::from_slice(nonce), sealed);
        String::from_utf8(plain.map_err(|_| SecretError::Open)?).map_err(|_| SecretError::Open)
    }
}

/// Whether a text is sealed.
#[must_use]
pub fn is_sealed(text: &str) -> bool {
    text.starts_with(PREFIX)
}

#[cfg(test)]
mod tests {
    use super::{SealKey, Secret, is_sealed};

    #[test]
    fn sealed_texts_open_with_their_key_only() {
        let folder = tempfile::tempdir().unwrap();
        let key = SealKey::load_or_create(&folder.path().join("a")).unwrap();
        let again = SealKey::load_or_create(&folder.path().join("a")).unwrap();
        let other = SealKey::load_or_create(&folder.path().join("b")).unwrap();
        let sealed = key.seal("rtsp://u:p@h/");
        assert!(is_sealed(&sealed) && !sealed.contains("p@h"));
        assert_eq!(again.open(&sealed).unwrap(), "rtsp://u:p@h/");
        assert!(other.open(&sealed).is_err());
        let mut changed = sealed.clone().into_bytes();
        let last = changed.len() - 3;
        changed[last] = if changed[last] == b'A' { b'B' } else { b'A' };
        assert!(key.open(std::str::from_utf8(&changed).unwrap()).is_err());
        assert_eq!(key.open("plain").unwrap(), "plain");
    }

    #[test]
    fn secrets_do_not_print() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "***");
    }
}
