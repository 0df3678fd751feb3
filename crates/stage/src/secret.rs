//! Secrets: texts that cannot print, and the sealing of camera passwords at rest.

use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead as _, AeadCore as _, KeyInit as _, OsRng};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use uuid::Uuid;

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

    /// Reads the key from a file; when there is none, makes one there that only its owner can read. It is written beside its place and
    /// takes it when all of it is on disk: a start that breaks off leaves no half of a key, which nobody could start with, and without
    /// which nothing that had been sealed could be opened.
    ///
    /// # Errors
    /// [`SecretError::KeyFile`] or [`SecretError::Key`].
    pub fn load_or_create(path: &Path) -> Result<Self, SecretError> {
        let failed = |error: std::io::Error| SecretError::KeyFile {
            path: path.display().to_string(),
            reason: error.to_string(),
        };
        if !path.try_exists().map_err(failed)? {
            create(path).map_err(failed)?;
        }
        Self::from_base64(&std::fs::read_to_string(path).map_err(failed)?)
    }

    /// Names the key without telling anything of it: sealed texts bear it, so that others know who can open them.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut name = Uuid::new_v5(&Uuid::NAMESPACE_OID, &self.0).simple().to_string();
        name.truncate(8);
        name
    }

    /// Seals a text.
    #[must_use]
    pub fn seal(&self, text: &str) -> String {
        let nonce = ChaCha20Poly1305::generate_nonce(&mut OsRng);
        // Encrypting can only fail for texts of more than 256 GB.
        let sealed = ChaCha20Poly1305::new(&self.0).encrypt(&nonce, text.as_bytes()).unwrap_or_default();
        format!("{PREFIX}{}.{}", STANDARD.encode([nonce.as_slice(), &sealed].concat()), self.fingerprint())
    }

    /// Opens a sealed text; a text that is not sealed is returned as it is.
    ///
    /// # Errors
    /// [`SecretError::Open`].
    pub fn open(&self, text: &str) -> Result<String, SecretError> {
        let Some(body) = text.strip_prefix(PREFIX) else { return Ok(text.to_owned()) };
        // The first ones did not name their key.
        let (body, _) = body.split_once('.').unwrap_or((body, ""));
        let bytes = STANDARD.decode(body).map_err(|_| SecretError::Open)?;
        let (nonce, sealed) = bytes.split_at_checked(12).ok_or(SecretError::Open)?;
        let plain = ChaCha20Poly1305::new(&self.0).decrypt(Nonce::from_slice(nonce), sealed);
        String::from_utf8(plain.map_err(|_| SecretError::Open)?).map_err(|_| SecretError::Open)
    }
}

/// A new key in its place, unless another process of this machine was faster.
fn create(path: &Path) -> std::io::Result<()> {
    let key = STANDARD.encode(ChaCha20Poly1305::generate_key(&mut OsRng));
    let number: String =
        ChaCha20Poly1305::generate_nonce(&mut OsRng).iter().map(|byte| format!("{byte:02x}")).collect();
    let beside = path.with_added_extension(number);
    let made = write_new(&beside, &key);
    // A link, since a rename would replace the key of whoever was faster.
    let mut placed = made.and_then(|()| std::fs::hard_link(&beside, path));
    // What cannot be removed does no harm.
    drop(std::fs::remove_file(&beside));
    if placed.as_ref().is_err_and(|error| error.kind() != ErrorKind::AlreadyExists) {
        // Some file systems have no links: there a start that breaks off may leave half of one.
        placed = write_new(path, &key);
    }
    match placed {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Ok(()) => File::open(path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))?
            .sync_all(),
        failed => failed,
    }
}

/// A file that was not there, for its owner alone, on disk.
fn write_new(path: &Path, line: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{line}")?;
    file.sync_all()
}

/// Whether a text is sealed.
#[must_use]
pub fn is_sealed(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// The fingerprint of the key that sealed a text; `None` for one that is not sealed, or does not say.
#[must_use]
pub fn key_of(text: &str) -> Option<&str> {
    text.strip_prefix(PREFIX)?.split_once('.').map(|(_, key)| key)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::{SealKey, Secret, is_sealed, key_of};

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
        let last = sealed.find('.').unwrap() - 3;
        changed[last] = if changed[last] == b'A' { b'B' } else { b'A' };
        assert!(key.open(std::str::from_utf8(&changed).unwrap()).is_err());
        assert_eq!(key.open("plain").unwrap(), "plain");
        // It says which key it needs, and one that does not say opens as well.
        assert_eq!(key_of(&sealed), Some(key.fingerprint().as_str()));
        assert_eq!((key.fingerprint(), key_of("a.b")), (again.fingerprint(), None));
        assert_ne!(key.fingerprint(), other.fingerprint());
        let (older, _) = sealed.split_once('.').unwrap();
        assert_eq!((key.open(older).unwrap().as_str(), key_of(older)), ("rtsp://u:p@h/", None));
    }

    #[test]
    fn secrets_do_not_print() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "***");
    }

    #[test]
    fn a_key_is_there_whole_or_not_at_all() {
        for _ in 0..300 {
            let folder = tempfile::tempdir().unwrap();
            let place = folder.path().join("secret.key");
            let seen = std::thread::scope(|scope| {
                let looking = scope.spawn(|| {
                    loop {
                        if let Ok(text) = std::fs::read_to_string(&place) {
                            return text;
                        }
                    }
                });
                let makers = [(); 3].map(|()| scope.spawn(|| SealKey::load_or_create(&place).unwrap().seal("s3cret")));
                let sealed = makers.map(|maker| maker.join().unwrap());
                let key = SealKey::load_or_create(&place).unwrap();
                // All of them have the same one.
                assert!(sealed.iter().all(|sealed| key.open(sealed).unwrap() == "s3cret"));
                looking.join().unwrap()
            });
            assert_eq!(seen.len(), 45, "half of a key was there: {seen:?}");
            assert_eq!(std::fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o600);
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "something was left beside it");
        }
    }

    #[test]
    fn half_of_a_key_is_refused_and_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("secret.key");
        std::fs::write(&place, "").unwrap();
        assert!(SealKey::load_or_create(&place).unwrap_err().to_string().contains("32 bytes"));
        assert_eq!(std::fs::read_to_string(&place).unwrap(), "");
    }
}
