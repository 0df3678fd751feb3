//! Which models there are and where their files lie.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::error::InferError;
use crate::manifest::{Manifest, ModelFile, ModelKind, Registry};

/// Name and text of the manifests under `models/`, put in by the build script.
pub(crate) const SHIPPED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/manifests.rs"));

/// Folder of the user's own manifests for programs without a configuration.
const OWN_MANIFESTS: &str = "SIGHTLINE_MODELS";

/// The cache folder that `cargo xtask setup` fills: `$SIGHTLINE_CACHE`, else `$XDG_CACHE_HOME/sightline`, else
/// `~/.cache/sightline`.
#[must_use]
pub fn default_cache_dir() -> PathBuf {
    set("SIGHTLINE_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("sightline")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/sightline")))
        .unwrap_or_else(|| PathBuf::from(".cache/sightline"))
}

/// The folder that an environment variable names.
fn set(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Identity of a model: `<manifest id>@<first 12 hex digits of the weights' sha256>`. Vectors of different identities cannot
/// be compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ModelId(Arc<str>);

impl ModelId {
    /// For a model of several files the hash is that of their hashes, in the manifest's order.
    pub(crate) fn new(manifest: &Manifest, sums: &[String]) -> Self {
        let sum = match sums {
            [one] => one.clone(),
            many => hex(&Sha256::digest(many.concat())),
        };
        Self(format!("{}@{}", manifest.id, sum.get(..12).unwrap_or(&sum)).into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The manifests, shipped and the user's, and the folder of the files. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct ModelStore {
    models_dir: PathBuf,
    manifests: Arc<BTreeMap<String, Manifest>>,
}

impl ModelStore {
    /// A store of the shipped manifests and of all `*.toml` in `extra_manifests`, where one with the id of a shipped
    /// manifest takes its place. `models_dir` has the ONNX files; those of `extra_manifests` may lie beside them instead.
    ///
    /// # Errors
    /// [`InferError::Manifest`] for a manifest that is not valid and for two of the user's with one id,
    /// [`InferError::Read`] for a folder that cannot be read.
    pub fn new(models_dir: &Path, extra_manifests: Option<&Path>) -> Result<Self, InferError> {
        let mut manifests = BTreeMap::new();
        for (file, text) in SHIPPED {
            add(&mut manifests, Manifest::parse(file, text)?, file)?;
        }
        let mut own = BTreeMap::new();
        for path in extra_manifests.map(toml_files).transpose()?.unwrap_or_default() {
            let text =
                std::fs::read_to_string(&path).map_err(|source| InferError::Read { path: path.clone(), source })?;
            let name = path.display().to_string();
            let mut manifest = Manifest::parse(&name, &text)?;
            manifest.files.iter_mut().for_each(|file| file.beside = extra_manifests.map(Path::to_owned));
            add(&mut own, manifest, &name)?;
        }
        manifests.extend(own);
        Ok(Self { models_dir: models_dir.to_owned(), manifests: Arc::new(manifests) })
    }

    /// The shipped manifests with the files in the cache folder, and the user's own in `$SIGHTLINE_MODELS`, if that is set.
    ///
    /// # Errors
    /// As [`ModelStore::new`].
    pub fn default_location() -> Result<Self, InferError> {
        Self::new(&default_cache_dir().join("models"), set(OWN_MANIFESTS).as_deref())
    }

    /// All manifests, by id.
    pub fn list(&self) -> impl Iterator<Item = &Manifest> {
        self.manifests.values()
    }

    /// The manifest with this id.
    ///
    /// # Errors
    /// [`InferError::UnknownModel`], which lists the known ids.
    pub fn get(&self, id: &str) -> Result<&Manifest, InferError> {
        self.manifests.get(id).ok_or_else(|| self.unknown(id, None))
    }

    /// The detector with this id.
    ///
    /// # Errors
    /// [`InferError::UnknownModel`], which lists the known detectors.
    pub fn detector(&self, id: &str) -> Result<&Manifest, InferError> {
        self.of_kind(id, ModelKind::Detector)
    }

    /// The embedder with this id.
    ///
    /// # Errors
    /// [`InferError::UnknownModel`], which lists the known embedders.
    pub fn embedder(&self, id: &str) -> Result<&Manifest, InferError> {
        self.of_kind(id, ModelKind::Embedder)
    }

    /// The folder of the ONNX files.
    #[must_use]
    pub fn models_dir(&self) -> &Path {
        &self.models_dir
    }

    /// Where a file is, or should be.
    #[must_use]
    pub fn path(&self, file: &ModelFile) -> PathBuf {
        let beside = file.beside.as_ref().map(|folder| folder.join(&file.name)).filter(|path| path.exists());
        beside.unwrap_or_else(|| self.models_dir.join(&file.name))
    }

    /// Reads all files of a model and compares their sha256 with the manifest. Nothing is remembered.
    ///
    /// # Errors
    /// [`InferError::MissingFile`], [`InferError::WrongHash`] or [`InferError::Read`], naming the file.
    pub fn verify(&self, id: &str) -> Result<ModelId, InferError> {
        let sums: Vec<String> = self.sums(id)?.into_iter().map(|(_, sum)| sum).collect();
        Ok(ModelId::new(self.get(id)?, &sums))
    }

    /// Name and whole sha256 of every file of a model, each compared with the manifest, in its order.
    ///
    /// # Errors
    /// As [`ModelStore::verify`].
    pub fn sums(&self, id: &str) -> Result<Vec<(&str, String)>, InferError> {
        let manifest = self.get(id)?;
        manifest.files.iter().map(|file| Ok((file.name.as_str(), self.verify_file(manifest, file)?))).collect()
    }

    /// Identity of a model whose files need not be here: from the manifest's hashes, or from the files where it states none.
    ///
    /// # Errors
    /// As [`ModelStore::verify`].
    pub fn identity(&self, id: &str) -> Result<ModelId, InferError> {
        let manifest = self.get(id)?;
        if manifest.files.iter().any(|file| file.sha256.is_empty()) {
            return self.verify(id);
        }
        let sums: Vec<String> = manifest.files.iter().map(|file| file.sha256.clone()).collect();
        Ok(ModelId::new(manifest, &sums))
    }

    /// The file's sha256, if it is the one it should be.
    fn verify_file(&self, manifest: &Manifest, file: &ModelFile) -> Result<String, InferError> {
        let path = self.path(file);
        let found = match sha256_of(&path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(InferError::MissingFile { id: manifest.id.clone(), path, hint: hint(manifest) });
            }
            Err(source) => return Err(InferError::Read { path, source }),
        };
        if file.sha256.is_empty() || found == file.sha256 {
            return Ok(found);
        }
        let (id, expected, hint) = (manifest.id.clone(), file.sha256.clone(), hint_for_another(manifest));
        Err(InferError::WrongHash { id, path, expected, found, hint })
    }

    fn of_kind(&self, id: &str, kind: ModelKind) -> Result<&Manifest, InferError> {
        self.manifests.get(id).filter(|m| m.kind == kind).ok_or_else(|| self.unknown(id, Some(kind)))
    }

    fn unknown(&self, id: &str, kind: Option<ModelKind>) -> InferError {
        let known: Vec<&str> =
            self.list().filter(|m| kind.is_none_or(|kind| m.kind == kind)).map(|m| m.id.as_str()).collect();
        let kind = kind.map_or("model", ModelKind::as_str);
        InferError::UnknownModel { id: id.to_owned(), kind, known: known.join(", ") }
    }
}

fn add(to: &mut BTreeMap<String, Manifest>, manifest: Manifest, file: &str) -> Result<(), InferError> {
    match to.insert(manifest.id.clone(), manifest) {
        None => Ok(()),
        Some(twice) => {
            let reason = format!("another manifest has the id `{}` as well: give one of them another", twice.id);
            Err(InferError::Manifest { file: file.to_owned(), reason })
        }
    }
}

fn hint(manifest: &Manifest) -> String {
    match (manifest.source.registry, &manifest.source.project) {
        (Registry::None, Some(project)) => format!("no package has it, fetch it from {project} and put it there"),
        (Registry::None, None) => "no package has it, put it there or beside its manifest".to_owned(),
        _ => "run `cargo xtask setup`".to_owned(),
    }
}

/// For a file that is there, but another one.
fn hint_for_another(manifest: &Manifest) -> String {
    let own = "or put the sha256 of your file into a manifest of your own in `models.manifests`";
    match (manifest.source.registry, &manifest.source.project) {
        (Registry::None, Some(project)) => format!("take the file of {project}, {own}"),
        (Registry::None, None) => format!("put the right file there, {own}"),
        _ => "fetch it again with `cargo xtask setup`".to_owned(),
    }
}

fn toml_files(folder: &Path) -> Result<Vec<PathBuf>, InferError> {
    let fail = |source| InferError::Read { path: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn sha256_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&digest.finalize())),
            count => digest.update(&buffer[..count]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{ModelStore, SHIPPED};
    use crate::error::InferError;

    fn text(name: &str) -> String {
        SHIPPED.iter().find(|(file, _)| *file == name).unwrap().1.to_owned()
    }

    #[test]
    fn an_unknown_id_lists_the_known_ones_of_its_kind() {
        let folder = tempfile::tempdir().unwrap();
        let store = ModelStore::new(folder.path(), None).unwrap();
        let message = store.detector("facenet").unwrap_err().to_string();
        assert!(message.contains("known detectors: centerface, mtcnn, yunet"), "{message}");
        let message = store.get("arcface").unwrap_err().to_string();
        assert!(message.contains("dlib") && message.contains("centerface"), "{message}");
        assert_eq!(store.list().map(|m| m.id.as_str()).collect::<Vec<_>>().len(), SHIPPED.len());
    }

    #[test]
    fn missing_and_tampered_files_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let store = ModelStore::new(folder.path(), None).unwrap();
        let missing = store.verify("centerface").unwrap_err();
        assert!(matches!(missing, InferError::MissingFile { .. }));
        assert!(missing.to_string().contains("cargo xtask setup"), "{missing}");
        assert!(store.verify("yunet").unwrap_err().to_string().contains("libfacedetection.train"));
        fs::write(folder.path().join("centerface.onnx"), b"not it").unwrap();
        let tampered = store.verify("centerface").unwrap_err();
        assert!(matches!(&tampered, InferError::WrongHash { path, .. } if path.ends_with("centerface.onnx")));
        assert!(tampered.to_string().contains("cargo xtask setup"), "{tampered}");
        fs::write(folder.path().join("yunet_n_dynamic.onnx"), b"another").unwrap();
        let another = store.verify("yunet").unwrap_err().to_string();
        assert!(another.contains("libfacedetection.train") && another.contains("models.manifests"), "{another}");
        assert!(!another.contains("xtask"), "{another}");
        fs::remove_file(folder.path().join("yunet_n_dynamic.onnx")).unwrap();
        fs::create_dir(folder.path().join("yunet_n_dynamic.onnx")).unwrap();
        assert!(matches!(store.verify("yunet"), Err(InferError::Read { .. })));
    }

    #[test]
    fn an_empty_hash_accepts_any_file_and_names_it_by_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let store = ModelStore::new(folder.path(), None).unwrap();
        fs::write(folder.path().join("facenet_vggface2.onnx"), b"").unwrap();
        let id = store.verify("facenet-vggface2").unwrap();
        assert_eq!(id.as_str(), "facenet-vggface2@e3b0c44298fc");
        let sum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".to_owned();
        assert_eq!(store.sums("facenet-vggface2").unwrap(), [("facenet_vggface2.onnx", sum)]);
        assert_eq!(store.identity("facenet-vggface2").unwrap(), id);
        assert_eq!(store.identity("dlib").unwrap().as_str(), "dlib@cd458956e7ec");
    }

    #[test]
    fn the_files_of_the_users_manifests_may_lie_beside_them() {
        let (models, own) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let manifest = text("facenet-vggface2.toml").replace("id = \"facenet-vggface2\"", "id = \"mine\"");
        fs::write(own.path().join("mine.toml"), manifest).unwrap();
        let store = ModelStore::new(models.path(), Some(own.path())).unwrap();
        let place = |id: &str| store.path(&store.get(id).unwrap().files[0]);
        assert!(store.verify("mine").unwrap_err().to_string().contains("is missing"));
        fs::write(models.path().join("facenet_vggface2.onnx"), b"in the models folder").unwrap();
        assert!(place("mine").starts_with(models.path()));
        fs::write(own.path().join("facenet_vggface2.onnx"), b"beside").unwrap();
        assert!(place("mine").starts_with(own.path()));
        // A shipped model is not looked for among the user's.
        assert!(place("facenet-vggface2").starts_with(models.path()));
        assert_ne!(store.verify("mine").unwrap(), store.verify("facenet-vggface2").unwrap());
    }

    #[test]
    fn the_users_manifests_add_and_replace() {
        let folder = tempfile::tempdir().unwrap();
        let own = text("centerface.toml").replace("id = \"centerface\"", "id = \"mine\"");
        fs::write(folder.path().join("mine.toml"), own).unwrap();
        fs::write(folder.path().join("c.toml"), text("centerface.toml").replace("width = 640", "width = 320")).unwrap();
        fs::write(folder.path().join("README.md"), "no manifest").unwrap();
        let store = ModelStore::new(folder.path(), Some(folder.path())).unwrap();
        assert_eq!(store.list().count(), SHIPPED.len() + 1);
        assert_eq!(store.detector("mine").unwrap().family, "centerface");
        let replaced = store.detector("centerface").unwrap();
        assert_eq!(replaced.detector.as_ref().unwrap().width, Some(320));
        fs::copy(folder.path().join("mine.toml"), folder.path().join("yours.toml")).unwrap();
        let message = ModelStore::new(folder.path(), Some(folder.path())).unwrap_err().to_string();
        assert!(message.contains("yours.toml") && message.contains("`mine`"), "{message}");
        fs::remove_file(folder.path().join("yours.toml")).unwrap();
        fs::write(folder.path().join("bad.toml"), "what = 1").unwrap();
        let message = ModelStore::new(folder.path(), Some(folder.path())).unwrap_err().to_string();
        assert!(message.contains("bad.toml") && message.contains("what"), "{message}");
        assert!(ModelStore::new(folder.path(), Some(&folder.path().join("none"))).is_err());
    }
}
