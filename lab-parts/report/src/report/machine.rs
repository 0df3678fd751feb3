//! The machine a result was measured on.

use std::fs;

use serde::Serialize;

/// Processor, memory and system. What cannot be found out is "unknown" or missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Name of the processor.
    pub cpu: String,
    /// Cores this program may use.
    pub cores: usize,
    /// Memory of the machine in bytes.
    pub memory_bytes: Option<u64>,
    /// Distribution and its version.
    pub os: String,
    /// Kernel and its version.
    pub kernel: String,
    /// Instruction set.
    pub architecture: &'static str,
}

impl Machine {
    /// This machine.
    #[must_use]
    pub fn here() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let name = field(&read("/proc/cpuinfo"), "model name", ':');
        let release = read("/etc/os-release");
        let version = read("/proc/sys/kernel/osrelease");
        Self {
            cpu: name.unwrap_or_else(|| "unknown".to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: memory(&read("/proc/meminfo")),
            os: field(&release, "PRETTY_NAME", '=').unwrap_or_else(|| std::env::consts::OS.to_owned()),
            kernel: format!("{} {}", std::env::consts::OS, version.trim()).trim_end().to_owned(),
            architecture: std::env::consts::ARCH,
        }
    }
}

fn field(text: &str, key: &str, separator: char) -> Option<String> {
    let mut pairs = text.lines().filter_map(|line| line.split_once(separator));
    let (_, value) = pairs.find(|(name, _)| name.trim() == key)?;
    Some(value.trim().trim_matches('"').to_owned())
}

fn memory(text: &str) -> Option<u64> {
    let kilobytes: u64 = field(text, "MemTotal", ':')?.strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::{Machine, field, memory};

    #[test]
    fn system_files_are_understood() {
        let cpu = "processor\t: 0\nmodel name\t: A CPU @ 2.10GHz\nflags\t\t: x\n";
        assert_eq!(field(cpu, "model name", ':').unwrap(), "A CPU @ 2.10GHz");
        assert_eq!(field("NAME=x\nPRETTY_NAME=\"Debian 13\"\n", "PRETTY_NAME", '=').unwrap(), "Debian 13");
        assert_eq!(memory("MemTotal:       2048 kB\nMemFree: 1 kB\n"), Some(2 * 1024 * 1024));
        assert_eq!(memory("nothing"), None);
    }

    #[test]
    fn this_machine_has_a_core() {
        let machine = Machine::here();
        assert!(machine.cores >= 1);
        assert!(!machine.cpu.is_empty() && !machine.os.is_empty());
    }
}
