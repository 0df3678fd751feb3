//! The configuration file: what can be set, its defaults, and how it is read.
//!
//! Reading is strict. A key that is not known is an error that names the nearest one; `${VAR}` and `${file:PATH}` inside strings
//! are replaced after parsing, so that a value cannot change the structure. The sources of cameras are the exception: their
//! references are kept and replaced by the ingest worker that opens the camera.

mod error;
mod place;
mod print;
pub(crate) mod reference;
mod resolve;
mod words;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use sightline_infer::Device;
use sightline_ingest::Source;
use sightline_stage::secret::{SealKey, Secret};
use sightline_wire::{CameraSpec, human_duration};

pub(crate) use error::ConfigError;
pub(crate) use print::print;
pub(crate) use resolve::Resolved;

/// All of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) site: String,
    pub(crate) data_dir: PathBuf,
    pub(crate) bus: BusSection,
    pub(crate) http: HttpSection,
    pub(crate) models: ModelsSection,
    pub(crate) cameras: Vec<CameraSpec>,
    pub(crate) ingest: IngestSection,
    pub(crate) detect: DetectSection,
    pub(crate) track: TrackSection,
    pub(crate) embed: EmbedSection,
    pub(crate) identify: IdentifySection,
    /// Base64 of 32 bytes; seals the secrets of cameras that are added over HTTP. Without one a key file in `data_dir` is made.
    #[serde(skip_serializing)]
    pub(crate) secret_key: Option<Secret>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            site: "default".to_owned(),
            data_dir: "./data".into(),
            bus: BusSection::Memory,
            http: HttpSection::default(),
            models: ModelsSection::default(),
            cameras: Vec::new(),
            ingest: IngestSection::default(),
            detect: DetectSection::default(),
            track: TrackSection::default(),
            embed: EmbedSection::default(),
            identify: IdentifySection::default(),
            secret_key: None,
        }
    }
}

/// How processes are joined.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BusSection {
    Memory,
    Nats(NatsSection),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NatsSection {
    pub(crate) url: String,
    #[serde(default)]
    pub(crate) credentials: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct HttpSection {
    pub(crate) listen: String,
}

impl Default for HttpSection {
    fn default() -> Self {
        Self { listen: "127.0.0.1:8080".to_owned() }
    }
}

/// Which models belong together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Profile {
    /// CenterFace and FaceNet.
    #[default]
    Default,
    /// MTCNN and FaceNet.
    Classic,
    /// CenterFace at 320 and dlib's ResNet.
    Fast,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ModelsSection {
    pub(crate) profile: Profile,
    pub(crate) device: Device,
    pub(crate) threads: usize,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) manifests: Option<PathBuf>,
    pub(crate) onnxruntime: Option<PathBuf>,
    pub(crate) detector: Option<String>,
    pub(crate) embedder: Option<String>,
}

impl Default for ModelsSection {
    fn default() -> Self {
        Self {
            profile: Profile::Default,
            device: Device::Cpu,
            threads: 1,
            dir: None,
            manifests: None,
            onnxruntime: None,
            detector: None,
            embedder: None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct IngestSection {
    pub(crate) decode_threads: u32,
    /// PEM file: certificates of cameras that are accepted beside the system's.
    pub(crate) trust: Option<PathBuf>,
}

impl Default for IngestSection {
    fn default() -> Self {
        Self { decode_threads: 1, trust: None }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DetectSection {
    pub(crate) workers: usize,
    pub(crate) width: Auto<u32>,
    pub(crate) min_face: f32,
    pub(crate) threshold: Auto<f32>,
}

impl Default for DetectSection {
    fn default() -> Self {
        Self { workers: 1, width: Auto::Auto, min_face: 20.0, threshold: Auto::Auto }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TrackSection {
    pub(crate) max_embeds: u32,
    #[serde(with = "human_duration")]
    pub(crate) lost_after: Duration,
}

impl Default for TrackSection {
    fn default() -> Self {
        Self { max_embeds: 6, lost_after: Duration::from_secs(2) }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EmbedSection {
    pub(crate) workers: usize,
    pub(crate) best_shots: Option<PathBuf>,
}

impl Default for EmbedSection {
    fn default() -> Self {
        Self { workers: 1, best_shots: None }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct IdentifySection {
    pub(crate) min_face: u32,
    pub(crate) accept: Auto<f32>,
    pub(crate) unknown: Auto<f32>,
    pub(crate) margin: Auto<f32>,
    pub(crate) cluster: Auto<f32>,
}

impl Default for IdentifySection {
    fn default() -> Self {
        Self { min_face: 40, accept: Auto::Auto, unknown: Auto::Auto, margin: Auto::Auto, cluster: Auto::Auto }
    }
}

/// A value, or the word `auto`: what the model's manifest or the profile says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Auto<T> {
    Auto,
    Set(T),
}

impl<T> Auto<T> {
    pub(crate) fn or(self, otherwise: T) -> T {
        match self {
            Self::Auto => otherwise,
            Self::Set(value) => value,
        }
    }

    pub(crate) fn set(self) -> Option<T> {
        match self {
            Self::Auto => None,
            Self::Set(value) => Some(value),
        }
    }
}

impl<T: Serialize> Serialize for Auto<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::Set(value) => value.serialize(serializer),
        }
    }
}

impl<'de, T: serde::de::DeserializeOwned> Deserialize<'de> for Auto<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if value == "auto" {
            return Ok(Self::Auto);
        }
        let shown = value.as_str().map_or_else(|| value.to_string(), words::quoted);
        let wrong = |error: serde_json::Error| {
            let expected = words::expected(&error);
            serde::de::Error::custom(format!("{shown} is neither {expected} nor auto"))
        };
        serde_json::from_value(value).map(Self::Set).map_err(wrong)
    }
}

/// Reads the file. One that does not exist is an error unless it is the default path, where the defaults hold.
pub(crate) fn load(path: Option<&Path>) -> Result<Config, ConfigError> {
    let default = Path::new("./sightline.yaml");
    let file = path.unwrap_or(default);
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if path.is_none() && error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(ConfigError::read(file, &error)),
    };
    parse(file, &text, &reference::Environment)
}

fn parse(file: &Path, text: &str, references: &dyn reference::References) -> Result<Config, ConfigError> {
    let yaml: serde_yaml_ng::Value = serde_yaml_ng::from_str(text).map_err(|e| ConfigError::syntax(file, &e))?;
    let mut value = serde_json::to_value(yaml).map_err(|e| ConfigError::syntax(file, &e))?;
    if value.is_null() {
        value = Value::Object(serde_json::Map::new());
    }
    reference::replace(&mut value, references)
        .map_err(|dangling| ConfigError::value(file, text, &dangling.key, dangling.reason))?;
    let config: Config =
        serde_path_to_error::deserialize(&value).map_err(|e| ConfigError::serde(file, text, &value, &e))?;
    check(file, text, &config)?;
    Ok(config)
}

/// The cameras that cannot be opened from here, each with its key, why, and the way out: what their sources refer to is not there, or
/// leads to no source. Loading does not refuse them, because they may be ingested elsewhere, and one must not keep the others from
/// being seen.
pub(crate) fn cameras_amiss(config: &Config, references: &dyn reference::References) -> Vec<String> {
    let amiss = |(index, camera): (usize, &CameraSpec)| {
        let reason = source_amiss(camera, references).err()?;
        Some(format!("cameras[{index}].source of camera \"{}\": {reason}", camera.id))
    };
    config.cameras.iter().enumerate().filter_map(amiss).collect()
}

fn source_amiss(camera: &CameraSpec, references: &dyn reference::References) -> Result<(), String> {
    let text = reference::expand(camera.source.expose(), references)
        .map_err(|reason| format!("{reason}: set it where this camera is ingested, or mend the source"))?;
    match Source::parse(&text).map_err(|error| format!("{error}: mend the source, or what it refers to"))? {
        // As it is written: what it refers to is not repeated.
        Source::File(path) if !path.exists() => {
            let file = &camera.source;
            Err(format!("there is no file {file}: put it where this camera is ingested, or mend the source"))
        }
        _ => Ok(()),
    }
}

fn check(file: &Path, text: &str, config: &Config) -> Result<(), ConfigError> {
    let refuse = |key: &str, reason: String| Err(ConfigError::value(file, text, key, reason));
    if config.http.listen.parse::<std::net::SocketAddr>().is_err() {
        return refuse(
            "http.listen",
            format!("{} is no address with a port, as in 127.0.0.1:8080", words::quoted(&config.http.listen)),
        );
    }
    if !is_token(&config.site) {
        let reason = format!("{} is not 1 to 64 letters, digits, `-` and `_`", words::quoted(&config.site));
        return refuse("site", reason);
    }
    if let Some(Err(error)) = config.secret_key.as_ref().map(|key| SealKey::from_base64(key.expose())) {
        return refuse("secret_key", error.to_string());
    }
    for (key, number, limit) in [
        ("models.threads", config.models.threads, 256),
        ("detect.workers", config.detect.workers, 64),
        ("embed.workers", config.embed.workers, 64),
        ("ingest.decode_threads", config.ingest.decode_threads as usize, 64),
    ] {
        if !(1..=limit).contains(&number) {
            return refuse(key, format!("{number} is not from 1 to {limit}"));
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    for (index, camera) in config.cameras.iter().enumerate() {
        if !seen.insert(&camera.id) {
            return refuse(
                &format!("cameras[{index}].id"),
                format!("another camera is called \"{}\" as well", camera.id),
            );
        }
        if let Err(reason) = camera.check() {
            let (key, rule) = reason.split_once(": ").unwrap_or(("source", &reason));
            return refuse(&format!("cameras[{index}].{key}"), rule.to_owned());
        }
    }
    Ok(())
}

/// The site is part of every NATS subject.
fn is_token(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=64).contains(&name.len()) && name.bytes().all(good)
}

#[cfg(test)]
mod tests;
