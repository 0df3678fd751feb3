//! ONNX Runtime: the library, the device, and one network's session.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use ort::ep::{self, ExecutionProviderDispatch};
use ort::logging::LogLevel;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{RunOptions, Session};
use ort::value::{TensorRef, ValueType};

use crate::bench_support::Recorder;
use crate::error::InferError;
use crate::manifest::{Manifest, TensorContract};
use crate::store::{ModelStore, default_cache_dir};

/// The library that `cargo xtask setup` puts into the cache folder. From 1.28 on networks with PReLU are several times slower.
const LIBRARY: &str = "ort/libonnxruntime.so.1.26.0";

/// After an input of more numbers than this the arena gives back what it does not need: a still of 50 megapixels must not keep
/// gigabytes for ever. Frames at the usual widths and batches of crops stay below, and keep their memory warm.
const LARGE_INPUT: usize = 2_000_000;

/// What computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// NVIDIA, through CUDA.
    Cuda,
    /// NVIDIA, through TensorRT.
    TensorRt,
    /// Intel, through OpenVINO.
    OpenVino,
}

impl Device {
    /// As the configuration writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::TensorRt => "tensorrt",
            Self::OpenVino => "openvino",
        }
    }

    /// Whether this build has it; whether the library has it as well shows when a model is opened.
    ///
    /// # Errors
    /// [`InferError::Device`], with the way out.
    pub fn check(self) -> Result<(), InferError> {
        self.provider().map(|_| ())
    }

    /// The execution provider, if this build has it.
    fn provider(self) -> Result<ExecutionProviderDispatch, InferError> {
        match self {
            // Without the arena every activation is new memory from the system, whose pages are cleared and given back for each frame.
            Self::Cpu => Ok(ep::CPU::default().with_arena_allocator(true).build()),
            #[cfg(feature = "cuda")]
            Self::Cuda => Ok(ep::CUDA::default().build().error_on_failure()),
            #[cfg(feature = "tensorrt")]
            Self::TensorRt => Ok(ep::TensorRT::default().build().error_on_failure()),
            #[cfg(feature = "openvino")]
            Self::OpenVino => Ok(ep::OpenVINO::default().build().error_on_failure()),
            #[allow(unreachable_patterns, reason = "with all features on, every device has its arm")]
            other => Err(InferError::Device {
                device: other.as_str(),
                reason: format!("not compiled in: build with `--features {}`, or use `cpu`", other.as_str()),
            }),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Device {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Cpu, Self::Cuda, Self::TensorRt, Self::OpenVino];
        all.into_iter()
            .find(|device| device.as_str() == text)
            .ok_or_else(|| format!("`{text}` is none of cpu, cuda, tensorrt, openvino"))
    }
}

/// The loaded library and its one environment, kept until the process ends: ONNX Runtime allows no second one.
static LOADED: Mutex<Option<Loaded>> = Mutex::new(None);

#[derive(Clone)]
struct Loaded {
    environment: ort::environment::Environment,
    library: Arc<Path>,
}

/// ONNX Runtime with a device and a number of threads. Cloning is cheap.
#[derive(Clone)]
pub struct Runtime {
    loaded: Loaded,
    device: Device,
    threads: usize,
}

impl Runtime {
    /// Loads the library: `library`, else `$ORT_DYLIB_PATH`, else the one in the cache folder. A process has one library: later calls
    /// share the first. Each session computes with `threads` threads, at least 1.
    ///
    /// # Errors
    /// [`InferError::Runtime`] when there is no library, or a too old one; [`InferError::Device`] when the device is not compiled in.
    pub fn load(library: Option<&Path>, device: Device, threads: usize) -> Result<Self, InferError> {
        device.provider()?;
        let path = find_library(library)?;
        let mut slot = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = match &*slot {
            Some(loaded) => loaded.clone(),
            None => {
                let loaded = load(&path)?;
                slot.insert(loaded).clone()
            }
        };
        drop(slot);
        if *loaded.library != *path {
            tracing::warn!(in_use = %loaded.library.display(), asked = %path.display(), "one process has one ONNX Runtime");
        }
        let runtime = Self { loaded, device, threads: threads.max(1) };
        tracing::info!(library = %runtime.library().display(), %device, threads, "ONNX Runtime is ready");
        Ok(runtime)
    }

    /// The same library with another device.
    ///
    /// # Errors
    /// [`InferError::Device`] when it is not compiled in.
    pub fn on(&self, device: Device) -> Result<Self, InferError> {
        device.provider()?;
        Ok(Self { device, ..self.clone() })
    }

    /// What computes.
    #[must_use]
    pub const fn device(&self) -> Device {
        self.device
    }

    /// Threads of each session.
    #[must_use]
    pub const fn threads(&self) -> usize {
        self.threads
    }

    /// The library in use.
    #[must_use]
    pub fn library(&self) -> &Path {
        &self.loaded.library
    }

    /// Sequential execution without spinning threads: a stage has the only compute thread, and waiting must not cost.
    fn builder(&self) -> Result<SessionBuilder, InferError> {
        let options = || -> Result<SessionBuilder, ort::Error> {
            let builder = Session::builder(&self.loaded.environment)?
                .with_log_level(LogLevel::Warning)?
                .with_optimization_level(GraphOptimizationLevel::All)?
                .with_intra_threads(self.threads)?
                .with_inter_threads(1)?
                .with_parallel_execution(false)?
                .with_intra_op_spinning(false)?
                .with_inter_op_spinning(false)?
                .with_memory_pattern(false)?;
            Ok(builder)
        };
        let builder = options().map_err(|error| InferError::Runtime(error.to_string()))?;
        builder
            .with_execution_providers([self.device.provider()?])
            .map_err(|error| InferError::Device { device: self.device.as_str(), reason: error.to_string() })
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Runtime({}, {}, {} threads)", self.library().display(), self.device, self.threads)
    }
}

fn find_library(explicit: Option<&Path>) -> Result<PathBuf, InferError> {
    let from_env = || std::env::var_os("ORT_DYLIB_PATH").filter(|v| !v.is_empty()).map(PathBuf::from);
    let path = explicit.map(Path::to_owned).or_else(from_env).unwrap_or_else(|| default_cache_dir().join(LIBRARY));
    if path.is_file() {
        return Ok(path);
    }
    Err(InferError::Runtime(format!(
        "{} does not exist: run `cargo xtask setup`, or name the library in ORT_DYLIB_PATH",
        path.display()
    )))
}

fn load(path: &Path) -> Result<Loaded, InferError> {
    let refuse = |reason: String| InferError::Runtime(format!("{}: {reason}", path.display()));
    let environment = ort::init_from(path)
        .map_err(|error| refuse(error.to_string()))?
        .with_telemetry(false)
        .build()
        .map_err(|error| refuse(error.to_string()))?;
    environment.set_log_level(LogLevel::Warning);
    Ok(Loaded { environment, library: path.into() })
}

/// One output tensor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output<'a> {
    /// Sizes of its dimensions.
    pub(crate) shape: &'a [i64],
    /// Its numbers, the last dimension fastest.
    pub(crate) data: &'a [f32],
}

impl<'a> Output<'a> {
    /// Its numbers, if it has this shape.
    pub(crate) fn of_shape(&self, shape: &[usize]) -> Result<&'a [f32], String> {
        let same = self.shape.len() == shape.len()
            && self.shape.iter().zip(shape).all(|(&a, &b)| usize::try_from(a).is_ok_and(|a| a == b));
        if same && self.data.len() == shape.iter().product::<usize>() {
            Ok(self.data)
        } else {
            Err(format!("shape {:?} instead of {shape:?}", self.shape))
        }
    }
}

/// One ONNX file, loaded and checked against its manifest.
pub(crate) struct Network {
    file: String,
    session: Session,
    outputs: Vec<String>,
    recorder: Option<Recorder>,
}

impl Network {
    /// Loads file number `index` of a model whose hashes have been verified.
    pub(crate) fn open(
        runtime: &Runtime,
        store: &ModelStore,
        manifest: &Manifest,
        index: usize,
    ) -> Result<Self, InferError> {
        let file = manifest.files.get(index).ok_or_else(|| manifest.missing("more `[[file]]`"))?;
        let wrong = |reason| InferError::WrongTensors { id: manifest.id.clone(), file: file.name.clone(), reason };
        let session = runtime
            .builder()?
            .commit_from_file(store.path(file))
            .map_err(|error| wrong(format!("ONNX Runtime cannot load it: {error}")))?;
        let outlets = |list: &[ort::value::Outlet]| -> Vec<(String, Option<Vec<i64>>)> {
            list.iter().map(|outlet| (outlet.name().to_owned(), shape_of(outlet.dtype()))).collect()
        };
        check_tensors("input", &file.inputs, &outlets(session.inputs())).map_err(&wrong)?;
        check_tensors("output", &file.outputs, &outlets(session.outputs())).map_err(&wrong)?;
        let outputs = file.outputs.iter().map(|tensor| tensor.name.clone()).collect();
        Ok(Self { file: file.name.clone(), session, outputs, recorder: None })
    }

    /// From now on copies every input into `recorder`.
    pub(crate) fn record(&mut self, recorder: Option<Recorder>) {
        self.recorder = recorder;
    }

    /// Runs the network on one tensor and lets `read` see the outputs, in the manifest's order.
    pub(crate) fn run<T>(
        &mut self,
        shape: [usize; 4],
        data: &[f32],
        read: impl FnOnce(&[Output<'_>]) -> Result<T, String>,
    ) -> Result<T, InferError> {
        if let Some(recorder) = &self.recorder {
            recorder.push(&self.file, shape, data);
        }
        let failed = |error: ort::Error| InferError::Inference { model: self.file.clone(), reason: error.to_string() };
        let input = TensorRef::from_array_view((shape, data)).map_err(failed)?;
        let options = (data.len() > LARGE_INPUT).then(shrinking).transpose().map_err(failed)?;
        let results = match &options {
            Some(options) => self.session.run_with_options(ort::inputs![input], options),
            None => self.session.run(ort::inputs![input]),
        };
        let results = results.map_err(failed)?;
        let mut outputs = Vec::with_capacity(self.outputs.len());
        for name in &self.outputs {
            let value = results.get(name).ok_or_else(|| InferError::Output {
                model: self.file.clone(),
                reason: format!("no output `{name}`"),
            })?;
            let (shape, data) = value.try_extract_tensor::<f32>().map_err(failed)?;
            outputs.push(Output { shape, data });
        }
        read(&outputs).map_err(|reason| InferError::Output { model: self.file.clone(), reason })
    }
}

/// The arena is shrunk after the run.
fn shrinking() -> Result<RunOptions, ort::Error> {
    let mut options = RunOptions::new()?;
    options.set("memory.enable_memory_arena_shrinkage", "cpu:0")?;
    Ok(options)
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Network({})", self.file)
    }
}

/// The dimensions of a tensor of 32-bit floats.
fn shape_of(value: &ValueType) -> Option<Vec<i64>> {
    match value {
        ValueType::Tensor { ty: ort::value::TensorElementType::Float32, shape, .. } => Some(shape.to_vec()),
        _ => None,
    }
}

/// Compares what the manifest says with what the file has; free dimensions are -1.
fn check_tensors(what: &str, expected: &[TensorContract], found: &[(String, Option<Vec<i64>>)]) -> Result<(), String> {
    for tensor in expected {
        let Some((_, shape)) = found.iter().find(|(name, _)| *name == tensor.name) else {
            let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
            return Err(format!("no {what} `{}`; it has {}", tensor.name, names.join(", ")));
        };
        let Some(shape) = shape else {
            return Err(format!("{what} `{}` is no tensor of 32-bit floats", tensor.name));
        };
        if *shape != tensor.dimensions() {
            let wanted = tensor.shape.join(", ");
            return Err(format!("{what} `{}` has shape {shape:?}, the manifest says [{wanted}]", tensor.name));
        }
    }
    if found.len() == expected.len() {
        return Ok(());
    }
    let more = found.iter().filter(|(name, _)| expected.iter().all(|tensor| tensor.name != *name));
    let names: Vec<&str> = more.map(|(name, _)| name.as_str()).collect();
    Err(format!("it has {what}s that the manifest does not name: {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Device, Output, Runtime, check_tensors};
    use crate::error::InferError;
    use crate::manifest::TensorContract;

    fn tensor(name: &str, shape: &[&str]) -> TensorContract {
        TensorContract { name: name.to_owned(), shape: shape.iter().map(|&s| s.to_owned()).collect() }
    }

    #[test]
    fn tensors_must_be_those_of_the_manifest() {
        let found = [("a".to_owned(), Some(vec![-1, 3])), ("b".to_owned(), None)];
        let check = |expected: &[TensorContract]| check_tensors("output", expected, &found);
        let b = || tensor("b", &["n"]);
        assert!(check(&[tensor("c", &["n"])]).unwrap_err().contains("no output `c`; it has a, b"));
        assert!(check(&[tensor("a", &["n", "4"])]).unwrap_err().contains("[-1, 3]"));
        assert!(check(&[tensor("a", &["1", "3"])]).is_err());
        assert!(check(&[tensor("a", &["n", "3"]), b()]).unwrap_err().contains("32-bit"));
        assert!(check(&[tensor("a", &["n", "3"])]).unwrap_err().contains("does not name: b"));
        assert!(check_tensors("input", &[tensor("a", &["n", "3"])], &found[..1]).is_ok());
    }

    #[test]
    fn outputs_of_another_shape_are_refused() {
        let output = Output { shape: &[1, 2], data: &[0.0; 2] };
        assert!(output.of_shape(&[1, 2]).is_ok());
        assert!(output.of_shape(&[2, 1]).is_err());
        assert!(Output { shape: &[-1, 2], data: &[0.0; 2] }.of_shape(&[1, 2]).is_err());
        assert!(Output { shape: &[1, 2], data: &[0.0; 3] }.of_shape(&[1, 2]).is_err());
    }

    #[test]
    fn a_missing_library_names_the_way_out() {
        let error = Runtime::load(Some(Path::new("/nowhere/libonnxruntime.so")), Device::Cpu, 1).unwrap_err();
        assert!(matches!(error, InferError::Runtime(_)));
        assert!(error.to_string().contains("cargo xtask setup"), "{error}");
    }

    #[test]
    #[cfg(not(feature = "cuda"))]
    fn a_device_that_is_not_compiled_in_is_refused() {
        let error = Runtime::load(None, Device::Cuda, 1).unwrap_err();
        assert!(error.to_string().contains("--features cuda"), "{error}");
    }

    #[test]
    fn devices_have_names() {
        for name in ["cpu", "cuda", "tensorrt", "openvino"] {
            assert_eq!(name.parse::<Device>().unwrap().as_str(), name);
        }
        assert!("gpu".parse::<Device>().unwrap_err().contains("cpu, cuda"));
    }
}
