//! Scratch.
use labtraditional::*;
use std::time::Instant;
use sightline_vision::Picture;
fn cpu() -> u64 { std::fs::read_to_string("/proc/thread-self/schedstat").unwrap().split(' ').next().unwrap().parse().unwrap() }
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let mut d = HaarDetector::open(DEBIAN_CASCADE.as_ref(), HaarConfig::default()).unwrap();
    let mut d20 = HaarDetector::open(DEBIAN_CASCADE.as_ref(), HaarConfig { min_size: 20, ..HaarConfig::default() }).unwrap();
    let s = SeetaDetector::open(args[1].as_ref(), SeetaConfig::default()).unwrap();
    let s20 = SeetaDetector::open(args[1].as_ref(), SeetaConfig { min_face: 20, ..SeetaConfig::default() }).unwrap();
    let s80 = SeetaDetector::open(args[1].as_ref(), SeetaConfig { min_face: 80, ..SeetaConfig::default() }).unwrap();
    for file in &args[2..] {
        let rgb = sightline_vision::decode_still(&std::fs::read(file).unwrap(), 1 << 28).unwrap();
        let (w, h) = (rgb.width(), rgb.height());
        let t = Instant::now();
        let gray = GrayImage::of(Picture::Rgb(&rgb));
        println!("{file} {w}x{h} gray {:?}", t.elapsed());
        let best = |f: &mut dyn FnMut() -> usize| { let n = f(); (n, (0..9).map(|_| { let t = cpu(); f(); cpu() - t }).min().unwrap() as f64 / 1e6) };
        println!("  haar40 {:?} haar20 {:?}", best(&mut || d.detect_gray(&gray).len()), best(&mut || d20.detect_gray(&gray).len()));
        println!("  seeta40 {:?} seeta20 {:?} seeta80 {:?}", best(&mut || s.detect_gray(&gray).len()), best(&mut || s20.detect_gray(&gray).len()), best(&mut || s80.detect_gray(&gray).len()));
    }
}
