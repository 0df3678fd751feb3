//! Time and memory of learning and recognising on the split of golden/classical.json, a line each method.
//! `measure SHARED [VECTORS]`: the folder of shared data and the one with FaceNet's and dlib's vectors.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "prints a table; any error may end it")]

use std::path::Path;
use std::time::Instant;
use std::{env, fs};

use labclassical::classical::*;
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

type Part = Vec<(Sample, usize)>;

fn main() {
    let folders: Vec<String> = env::args().skip(1).collect();
    let shared = Path::new(&folders[0]);
    let golden: serde_json::Value =
        serde_json::from_slice(&fs::read(shared.join("golden/classical.json")).unwrap()).unwrap();
    let list = |name: &str| -> Vec<String> { serde_json::from_value(golden[name].clone()).unwrap() };
    let (people, train, test) = (list("classes"), list("train"), list("test"));
    let class = |file: &str| people.iter().position(|name| file.starts_with(&format!("{name}/"))).unwrap();
    let pictures = |size: (usize, usize), files: &[String]| -> Part {
        let sample = |file: &String| {
            let photo = fs::read(shared.join("data/lfw-people70").join(file)).unwrap();
            let photo = turbojpeg::decompress(&photo, turbojpeg::PixelFormat::RGB).unwrap();
            let size_of_photo = (photo.width, photo.height);
            (Sample::Gray(GrayImage::from_rgb(&photo.pixels, size_of_photo, Region::LFW, size).unwrap()), class(file))
        };
        files.iter().map(sample).collect()
    };
    let given = Tuning::Given { c: 10.0, gamma: 0.0005 };
    let small = [pictures(Region::LFW_SIZE, &train), pictures(Region::LFW_SIZE, &test)];
    let large = [pictures((94, 125), &train), pictures((94, 125), &test)];
    let plain = Eigenfaces::default();
    measure("eigenfaces", &people, &small, &Method::Eigenfaces(plain.clone()));
    measure("eigenfaces whitened", &people, &small, &Method::Eigenfaces(Eigenfaces { whiten: true, ..plain }));
    let machines = EigenfacesSvm { tuning: given, ..EigenfacesSvm::default() };
    measure("eigenfaces-svm given", &people, &small, &Method::EigenfacesSvm(machines));
    measure("eigenfaces-svm chosen", &people, &small, &Method::EigenfacesSvm(EigenfacesSvm::default()));
    measure("lbph 47x62", &people, &small, &Method::Lbph(Lbph::default()));
    measure("lbph 94x125", &people, &large, &Method::Lbph(Lbph::default()));
    for (model, dimension) in [("facenet", 512), ("dlib", 128)] {
        let Some(folder) = folders.get(1) else { return };
        let bytes = fs::read(Path::new(folder).join(format!("{model}-lfw-people70.f32"))).unwrap();
        let values: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        let vector = |place: usize| Sample::Features(values[place * dimension..][..dimension].to_vec());
        let part = |files: &[String], from: usize| -> Part {
            files.iter().enumerate().map(|(place, file)| (vector(from + place), class(file))).collect()
        };
        let parts = [part(&train, 0), part(&test, train.len())];
        measure(&format!("{model} linear svm"), &people, &parts, &Method::LinearSvm(LinearSvm::default()));
        for measure_of in [Measure::Cosine, Measure::Euclidean] {
            let mean = Method::NearestMean(NearestMean { measure: measure_of });
            measure(&format!("{model} nearest mean {measure_of:?}"), &people, &parts, &mean);
            let neighbour = Method::NearestNeighbour(NearestNeighbour { measure: measure_of });
            measure(&format!("{model} nearest neighbour {measure_of:?}"), &people, &parts, &neighbour);
        }
    }
}

fn measure(name: &str, people: &[String], [train, test]: &[Part; 2], method: &Method) {
    let training = TrainingSet::new(people, train.iter().map(|(sample, class)| (sample, *class))).unwrap();
    MEMORY.reset_peak_usage();
    let (before, start) = (MEMORY.current_usage(), Instant::now());
    let model = method.fit(&training).unwrap();
    let (fit, peak) = (start.elapsed(), MEMORY.peak_usage() - before);
    let kept = MEMORY.current_usage() - before;
    let start = Instant::now();
    let right = test.iter().filter(|(sample, class)| model.predict(sample).unwrap().class == *class).count();
    let each = start.elapsed() / u32::try_from(test.len()).unwrap();
    let kilobytes = |bytes: usize| bytes / 1024;
    println!(
        "{name:34} right {right}/{} fit {:9.1} ms, peak {:6} kB; predict {:8.3} ms; kept {:6} kB, said {:6} kB; {:?}",
        test.len(),
        fit.as_secs_f64() * 1000.0,
        kilobytes(peak),
        each.as_secs_f64() * 1000.0,
        kilobytes(kept),
        kilobytes(model.bytes()),
        model.learned(),
    );
}
