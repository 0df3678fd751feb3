//! Experiment.
mod common;
use common::*;
use sightline_ingest::{decode_file, probe, Source};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use sightline_wire::Transport;
fn h264(file: &PathBuf, w: u32, h: u32, n: u32, mux: &str) { media::video(file, (w, h), n, mux); }
#[test]
fn files() {
    let dir = tempfile::tempdir().unwrap();
    let d = dir.path();
    let mut names = vec![];
    for (name, mux) in [("a.mp4", "mp4mux"), ("a.mkv", "matroskamux"), ("a.ts", "mpegtsmux"), ("a.h264", "video/x-h264,stream-format=byte-stream"), ("a.avi", "avimux"), ("a.flv", "h264parse ! flvmux"), ("a.fmp4", "mp4mux fragment-duration=500")] {
        let p = d.join(name);
        h264(&p, 320, 240, 50, mux);
        names.push(p.clone());
        let mut second = p.clone(); second.set_file_name(format!("b{}", name));
        h264(&second, 640, 480, 50, mux);
        let both = d.join(format!("two-{name}"));
        let mut bytes = std::fs::read(&p).unwrap(); bytes.extend(std::fs::read(&second).unwrap());
        std::fs::write(&both, &bytes).unwrap();
        names.push(both);
        let cut = d.join(format!("cut-{name}"));
        let bytes = std::fs::read(&p).unwrap();
        std::fs::write(&cut, &bytes[..bytes.len() * 6 / 10]).unwrap();
        names.push(cut);
    }
    for mux in ["mp4mux", "matroskamux", "avimux", "mpegtsmux"] {
        let p = d.join(format!("zero.{mux}"));
        let r = std::panic::catch_unwind(|| h264(&p, 320, 240, 0, mux));
        println!("zero {mux}: {:?} {:?}", r.is_ok(), std::fs::metadata(&p).map(|m| m.len()));
        names.push(p);
    }
    media::launch(&format!("audiotestsrc num-buffers=50 ! wavenc ! filesink location={}", d.join("a.wav").display()));
    media::launch(&format!("audiotestsrc num-buffers=50 ! avenc_aac ! mp4mux ! filesink location={}", d.join("sound.mp4").display()));
    names.push(d.join("a.wav")); names.push(d.join("sound.mp4"));
    std::fs::write(d.join("empty.mp4"), b"").unwrap(); names.push(d.join("empty.mp4"));
    std::fs::write(d.join("text.txt"), "hello world\n".repeat(100)).unwrap(); names.push(d.join("text.txt"));
    let mut s = 1u64; let noise: Vec<u8> = (0..100_000).map(|_| { s ^= s << 13; s ^= s >> 7; s ^= s << 17; s as u8 }).collect();
    std::fs::write(d.join("noise.mp4"), &noise).unwrap(); names.push(d.join("noise.mp4"));
    names.push(d.to_owned()); names.push("/dev/null".into()); names.push("/proc/1/mem".into());
    let clip = media::clip(); let bytes = std::fs::read(&clip).unwrap();
    for part in [0.01, 0.3, 0.5, 0.99] { let p = d.join(format!("clip{part}.mp4")); std::fs::write(&p, &bytes[..(bytes.len() as f64 * part) as usize]).unwrap(); names.push(p); }
    for p in names {
        let t = Instant::now();
        let sizes = std::sync::Arc::new(std::sync::Mutex::new(std::collections::BTreeMap::new()));
        let s2 = sizes.clone();
        let r = decode_file(&p, 1, move |pl, _| { *s2.lock().unwrap().entry((pl.width(), pl.height())).or_insert(0) += 1; true });
        println!("{:30} {:?} {:?} {:?}", p.file_name().map_or("?".into(), |f| f.to_string_lossy().into_owned()), r.map_err(|e| e.to_string().split(": ").last().unwrap().to_owned()), sizes.lock().unwrap(), t.elapsed());
    }
    println!("{:?}", probe(&Source::parse("v4l2:///dev/video99").unwrap(), Transport::Tcp, Duration::from_secs(3)).err());
    println!("{:?}", probe(&Source::parse("v4l2:///dev/null").unwrap(), Transport::Tcp, Duration::from_secs(3)).err());
}
