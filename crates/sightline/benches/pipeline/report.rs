//! The figures as a table, as JSON, and against the project's thresholds.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use sightline_testkit::visits::Agreement;

use crate::machine;
use crate::memory::Memory;
use crate::options::Settings;
use crate::overhead::Round;
use crate::run::{Layout, Run};

/// Share of the reference's visits that a run must find to count.
const SAME_VISITS: f64 = 0.95;
/// Rounds that differ by more than this factor say little.
const NOISY: f64 = 1.1;
/// Largest overhead ratio; 1.10 is the aim.
const OVERHEAD: f64 = 1.15;

/// Least analysed frames a second of CPU, and most megabytes of four cameras, by embedder.
const LIMITS: [(&str, f64, f64); 2] = [("facenet", 14.0, 550.0), ("dlib", 20.0, 300.0)];

/// A figure and what it must be.
struct Gate {
    name: &'static str,
    value: f64,
    limit: f64,
    at_least: bool,
}

impl Gate {
    fn passes(&self) -> bool {
        if self.at_least { self.value >= self.limit } else { self.value <= self.limit }
    }
}

/// Everything measured so far.
pub(crate) struct Report {
    settings: Settings,
    json: Value,
    gates: Vec<Gate>,
    counts: bool,
}

impl Report {
    /// Shows what is about to be measured.
    pub(crate) fn new(settings: &Settings) -> Result<Self> {
        let machine = machine::describe();
        let models = format!("{} and {}", settings.detector, settings.embedder);
        println!(
            "{} at {} frames a second, {models}, {} thread(s) a network",
            settings.clip_name(),
            settings.fps,
            settings.threads
        );
        let text = |key: &str| machine[key].to_string().replace('"', "");
        println!("{}, {} cores, load {} at the start", text("cpu"), text("cores"), text("load_average"));
        let bytes = std::fs::metadata(&settings.clip).with_context(|| settings.clip.display().to_string())?.len();
        let json = json!({
            "schema": "sightline.bench.pipeline/1",
            "machine": machine,
            "settings": {
                "clip": settings.clip_name(), "clip_bytes": bytes, "fps": settings.fps, "threads": settings.threads,
                "detector": settings.detector, "width": settings.width, "embedder": settings.embedder,
            },
        });
        Ok(Self { settings: settings.clone(), json, gates: Vec::new(), counts: true })
    }

    /// A run of the product.
    pub(crate) fn run(&mut self, layout: Layout, run: &Run) {
        println!("\n{}: {} and {}", layout.name(), run.models.0, run.models.1);
        let fast = (run.frames_per_cpu_second(false), run.frames_per_cpu_second(true));
        println!(
            "  {:.1} analysed frames a CPU second ({:.1} with start-up counted in); {} frames of {} decoded",
            fast.0, fast.1, run.frames, run.decoded
        );
        println!(
            "  CPU: start-up {:.2} s, recording {:.2} s; peak memory {:.0} MB",
            run.start_up_s, run.cpu_s, run.peak_mb
        );
        println!(
            "  {} faces, {} visits, {} crops embedded, {:.2} embeds a visit",
            run.faces,
            run.visits.len(),
            run.crops,
            run.embeds_per_visit()
        );
        println!(
            "  CPU a frame {:.2} ms, by threads (rest: queues, HTTP, store, messages, broker):",
            run.ms_per_frame()
        );
        let per_frame = |seconds: f64| 1000.0 * seconds / run.frames as f64;
        for (stage, seconds) in run.split.rows() {
            println!("    {stage:9} {:7.3} ms {:5.1} %", per_frame(seconds), 100.0 * seconds / run.cpu_s);
        }
        if run.processes.len() > 1 {
            println!("  by process:");
            for (name, usage) in &run.processes {
                println!("    {name:24} {:7.3} ms {:6.0} MB", per_frame(usage.cpu_seconds), usage.peak_rss_mb);
            }
        }
        self.json[key(layout)] = json!({
            "frames_per_cpu_second": fast.0, "frames_per_cpu_second_with_start_up": fast.1,
            "frames": run.frames, "decoded": run.decoded, "faces": run.faces, "visits": run.visits.len(), "crops": run.crops,
            "embeds_per_visit": run.embeds_per_visit(), "start_up_cpu_s": run.start_up_s, "cpu_s": run.cpu_s,
            "peak_rss_mb": run.peak_mb, "ms_per_frame": run.ms_per_frame(),
            "split_ms_per_frame": run.split.rows().map(|(stage, seconds)| json!({"stage": stage, "ms": per_frame(seconds)})),
            "processes": run.processes.iter().map(|(name, usage)| {
                json!({"name": name, "cpu_s": usage.cpu_seconds, "peak_rss_mb": usage.peak_rss_mb})
            }).collect::<Vec<_>>(),
            "models": [run.models.0, run.models.1],
        });
        if let (Layout::OneProcess, Some((_, least, _))) = (layout, self.limits()) {
            // The stricter of the two.
            self.gate("analysed frames a CPU second, one process, start-up counted in", fast.1, least, true);
        }
    }

    /// How the visits of a run compare with every frame analysed.
    pub(crate) fn agreement(&mut self, layout: Layout, reference: &Run, agreement: &Agreement) {
        let Agreement { run, found, nameable, nameable_found, .. } = *agreement;
        println!(
            "\nvisits, {}: {run}; with all {} frames analysed {}",
            layout.name(),
            reference.frames,
            agreement.reference
        );
        println!("  nameable ones of those: {nameable}, found here as nameable ones: {nameable_found}");
        println!("  of all, tiny and blurred ones included, found in the same place at the same time: {found}");
        let share = agreement.share();
        if share < SAME_VISITS {
            println!("  {:.1} % is less than 95 %: THIS RUN DOES NOT COUNT", 100.0 * share);
            self.counts = false;
        }
        self.json[key(layout)]["agreement"] = json!({
            "reference_frames": reference.frames, "reference_visits": agreement.reference, "visits": run, "found": found,
            "nameable": nameable, "nameable_found": nameable_found, "share": share, "counts": share >= SAME_VISITS,
        });
    }

    /// The overhead ratio.
    pub(crate) fn overhead(&mut self, rounds: &[Round]) {
        let ratios = sorted(rounds, Round::ratio);
        let (median, least, most) = (middle(&ratios), ratios[0], ratios[ratios.len() - 1]);
        println!("\noverhead: {median:.3}, median of {} rounds from {least:.3} to {most:.3}", rounds.len());
        if most > least * NOISY {
            println!("  the rounds differ much: the machine is busy with something else, or there are too few of them");
        }
        let of = |value: fn(&Round) -> f64| middle(&sorted(rounds, value));
        println!("  CPU a frame, median of the rounds:     alone   in the pipeline");
        let rows: [(&str, f64, f64); 3] = [
            ("decode", of(|round| round.decode_ms), of(|round| round.decode_stage_ms)),
            ("detect", of(|round| round.detect_ms), of(|round| round.detect_stage_ms)),
            ("embed", of(|round| round.embed_ms), of(|round| round.embed_stage_ms)),
        ];
        for (stage, alone, pipeline) in rows {
            println!("    {stage:32} {alone:7.3} ms {pipeline:12.3} ms");
        }
        let alone = rows.iter().map(|row| row.1).sum::<f64>();
        println!("    {:32} {alone:7.3} ms {:12.3} ms", "everything", of(|round| round.pipeline_ms));
        self.json["overhead"] = json!({
            "ratio": median, "least": least, "most": most,
            "rounds": rounds.iter().map(|round| json!({
                "ratio": round.ratio(), "pipeline_ms": round.pipeline_ms, "decode_ms": round.decode_ms,
                "detect_ms": round.detect_ms, "embed_ms": round.embed_ms, "decode_stage_ms": round.decode_stage_ms,
                "detect_stage_ms": round.detect_stage_ms, "embed_stage_ms": round.embed_stage_ms,
            })).collect::<Vec<_>>(),
        });
        if self.limits().is_some() {
            self.gate("overhead ratio", median, OVERHEAD, false);
        }
    }

    /// Four cameras.
    pub(crate) fn memory(&mut self, memory: &Memory) {
        println!(
            "  peak memory {:.0} MB with {} cameras; {} frames analysed, {} dropped, {:.2} cores busy",
            memory.peak_mb, memory.cameras, memory.frames, memory.dropped, memory.cores_busy
        );
        self.json["memory"] = json!({
            "cameras": memory.cameras, "peak_rss_mb": memory.peak_mb, "frames": memory.frames, "dropped": memory.dropped,
            "cores_busy": memory.cores_busy,
        });
        if let Some((.., most)) = self.limits() {
            self.gate("peak memory of four live cameras, MB", memory.peak_mb, most, false);
        }
    }

    /// Shows the verdicts and writes the file.
    pub(crate) fn finish(&mut self, file: Option<&Path>) -> Result<()> {
        println!();
        for gate in &self.gates {
            let (verdict, rule) = (verdict(gate), if gate.at_least { "at least" } else { "at most" });
            println!("{verdict} {:66} {:8.3}, {rule} {}", gate.name, gate.value, gate.limit);
        }
        if self.gates.is_empty() {
            println!("no thresholds: they are for wall720.mp4, 5 frames a second, CenterFace at 640, one thread");
        }
        println!("load {} at the end", machine::load_average());
        let gate = |gate: &Gate| json!({"name": gate.name, "value": gate.value, "limit": gate.limit, "verdict": verdict(gate)});
        self.json["gates"] = self.gates.iter().map(gate).collect();
        self.json["counts"] = self.counts.into();
        self.json["load_average_at_the_end"] = machine::load_average().into();
        let Some(file) = file else { return Ok(()) };
        let text = serde_json::to_string_pretty(&self.json)? + "\n";
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
    }

    /// Whether the runs found the visits they must.
    pub(crate) const fn counts(&self) -> bool {
        self.counts
    }

    pub(crate) fn passes(&self) -> bool {
        self.gates.iter().all(Gate::passes)
    }

    fn gate(&mut self, name: &'static str, value: f64, limit: f64, at_least: bool) {
        self.gates.push(Gate { name, value, limit, at_least });
    }

    /// Of this embedder, where the conditions are those of the thresholds.
    fn limits(&self) -> Option<(&'static str, f64, f64)> {
        let limits = LIMITS.into_iter().find(|(embedder, ..)| *embedder == self.settings.embedder);
        limits.filter(|_| self.settings.is_judged())
    }
}

fn verdict(gate: &Gate) -> &'static str {
    if gate.passes() { "PASS" } else { "FAIL" }
}

const fn key(layout: Layout) -> &'static str {
    match layout {
        Layout::OneProcess => "one_process",
        Layout::Nats => "nats",
    }
}

fn sorted(rounds: &[Round], value: impl Fn(&Round) -> f64) -> Vec<f64> {
    let mut values: Vec<f64> = rounds.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The median; of an even number the smaller one in the middle.
fn middle(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}
