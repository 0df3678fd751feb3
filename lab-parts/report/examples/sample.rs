//! Sample pages to look at; not to be kept.
#![allow(clippy::unwrap_used, clippy::too_many_lines, clippy::expect_used, reason = "sample")]
use labreport::progress::Progress;
use labreport::report::{plot, *};

fn normal(rng: &mut fastrand::Rng) -> f64 {
    (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0
}

fn operating(same: &[f64], different: &[f64]) -> Vec<(f64, f64)> {
    let mut all: Vec<(f64, bool)> =
        same.iter().map(|s| (*s, true)).chain(different.iter().map(|s| (*s, false))).collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut t, mut f) = (0.0, 0.0);
    let mut out = vec![(0.0, 0.0)];
    for (_, is_same) in all {
        if is_same {
            t += 1.0
        } else {
            f += 1.0
        }
        out.push((f / different.len() as f64, t / same.len() as f64));
    }
    out
}

fn main() {
    let out = std::env::args().nth(1).unwrap();
    let pictures: Vec<Vec<u8>> =
        std::env::args().skip(2).filter(|a| a.ends_with(".jpg")).map(|f| std::fs::read(f).unwrap()).collect();
    let mut rng = fastrand::Rng::with_seed(7);
    let progress = Progress::new("drawing", 4);
    let long = "mtcnn-with-every-parameter-of-facenet-pytorch-min-face-20-thresholds-0.6-0.7-0.7";
    let names = ["facenet", "dlib", "eigenfaces", long, "lbph <script>", "王小明 的 方法"];
    let run = Run::start("verify", "0.1.0")
        .with("onnxruntime", "1.26.0")
        .model("facenet", &"ab12".repeat(16))
        .model("centerface", &"0f".repeat(32))
        .seeded(42);
    let mut run = run.settings(&serde_json::json!({"data": "../shared/data/lfw-dev", "folds": 10, "flip": false, "detector": {"name": "mtcnn", "thresholds": [0.6, 0.7, 0.7], "camera": "rtsp://me:secret@host/1"}})).unwrap();
    run.finish();

    let mut page = Page::new("Recognisers side by side <on> LFW");
    let mut table = Table::new([
        Column::text("method"),
        Column::number("accuracy"),
        Column::number("±"),
        Column::number("TAR at FAR 1e-3"),
    ]);
    for (i, name) in names.iter().enumerate() {
        table.row([
            (*name).to_owned(),
            format!("{:.4}", 0.99 - 0.05 * i as f64),
            format!("{:.4}", 0.003 * i as f64),
            "0.9713 (0.962 to 0.979)".to_owned(),
        ]);
    }
    page.section("Verification")
        .text("3000 same and 3000 different pairs in ten folds.")
        .warning("A FAR below 1/3000 is refused; one below 10/3000 is marked weak.")
        .table(&table);
    let groups: Vec<(Vec<f64>, Vec<f64>)> = (0..names.len())
        .map(|i| {
            let d = 6.0 - i as f64;
            (
                (0..3000).map(|_| 0.1 * (normal(&mut rng) + d)).collect(),
                (0..3000).map(|_| 0.1 * normal(&mut rng)).collect(),
            )
        })
        .collect();
    let curves = |n: usize, det: bool| -> Vec<Curve> {
        groups
            .iter()
            .zip(names)
            .take(n)
            .map(|((s, d), name)| {
                let points =
                    operating(s, d).into_iter().map(|(f, t)| if det { (f, 1.0 - t) } else { (f, t) }).collect();
                Curve::new(name, points).detail("AUC 0.9981")
            })
            .collect()
    };
    let weak = [Mark::new("below: weak (10 of 3000 different pairs)", 10.0 / 3000.0), Mark::new("close", 0.0035)];
    page.figure(&plot::roc(&curves(6, false), &weak).unwrap());
    page.figure(&plot::roc(&curves(2, false), &[]).unwrap().titled("ROC of good methods", ""));
    page.figure(&plot::det(&curves(6, true), &weak[..1]).unwrap());
    page.figure(&plot::det(&curves(1, true), &[]).unwrap());
    page.figure(
        &plot::scores(
            &groups[2].0,
            &groups[2].1,
            &[Mark::new("accept", 0.25), Mark::new("unknown", 0.235), Mark::new("cluster", 0.18)],
        )
        .unwrap(),
    );
    progress.advance(1);

    page.section("Detectors");
    let pr: Vec<Curve> = names
        .iter()
        .enumerate()
        .map(|(i, name)| {
            Curve::new(
                name,
                (0..=1000)
                    .map(|k| {
                        let r = f64::from(k) / 1000.0 * (0.95 - 0.07 * i as f64);
                        (r, 1.0 - r.powi(6) * (0.3 + 0.08 * i as f64) - 0.01 * rng.f64())
                    })
                    .collect(),
            )
            .detail("AP 0.912")
        })
        .collect();
    page.figure(&plot::precision_recall(&pr).unwrap());
    let spots: Vec<Spot> = [
        ("mtcnn", 21.0, 0.031),
        ("centerface", 58.0, 0.022),
        ("yunet", 340.0, 0.05),
        ("haar", 44.0, 1.92),
        ("seetaface", 47.0, 0.32),
        (long, 41.0, 0.30),
        ("haar tuned", 45.0, 1.9),
        ("b<r>oken", f64::NAN, 1.0),
    ]
    .iter()
    .map(|(n, s, f)| Spot::new(n, *s, *f))
    .collect();
    page.figure(&plot::speed(&spots).unwrap());
    page.figure(
        &plot::speed(
            &[
                ("a", 20.0, 0.0),
                ("b", 21.0, 0.0),
                ("c", 20.5, 0.01),
                ("a detector with a name", 28.0, 0.2),
                (long, 28.1, 0.2),
            ]
            .map(|(n, s, f)| Spot::new(n, s, f)),
        )
        .unwrap(),
    );
    progress.advance(1);

    page.section("Classes");
    for n in [1_usize, 2, 8, 70, 150] {
        let classes: Vec<String> = (0..n)
            .map(|i| match i {
                1 => "Maria Soledad Alvear Valenzuela de la Very Long Name".to_owned(),
                2 => "王小明".to_owned(),
                3 => "<b>&amp;".to_owned(),
                _ => ["Tony Blair", "George W Bush", "Serena Williams", "Al"][i % 4].to_owned() + &format!(" {i}"),
            })
            .collect();
        let mut counts = vec![vec![0; n]; n];
        let mut rejected = vec![0; n];
        for (i, row) in counts.iter_mut().enumerate() {
            row[i] = 5 + rng.usize(0..90) + if n == 8 && i == 4 { 12_345 } else { 0 };
            for _ in 0..rng.usize(0..8) {
                row[rng.usize(0..n)] += rng.usize(1..9);
            }
            rejected[i] = rng.usize(0..4);
        }
        let short = if n == 2 { vec!["Al".to_owned(), "Bo".to_owned()] } else { classes };
        page.figure(
            &plot::confusion(
                &Confusion::new(&short, &counts).column("rejected", &rejected).column("missed face", &vec![0; n]),
            )
            .unwrap(),
        );
    }
    progress.advance(1);

    page.section("Training");
    let noisy = |a: f64, rng: &mut fastrand::Rng| {
        (1..=60).map(|e| (f64::from(e), a * (-f64::from(e) / 15.0).exp() + 0.05 + 0.01 * rng.f64())).collect::<Vec<_>>()
    };
    page.figure(
        &plot::loss(
            &[Curve::new("training", noisy(0.2, &mut rng)), Curve::new("held-out people", noisy(0.25, &mut rng))],
            &[Mark::new("kept", 52.0)],
        )
        .unwrap(),
    );
    page.figure(&plot::loss(&[Curve::new("one", vec![(1.0, 0.2)])], &[]).unwrap());
    page.figure(
        &plot::trend(
            &[Curve::new(
                "share",
                (0..20000).map(|i| (f64::from(i), if i % 500 == 0 { f64::NAN } else { 100.0 * rng.f64() })).collect(),
            )],
            ("step", "active triplets in %"),
            &[],
        )
        .unwrap(),
    );
    page.figure(&plot::loss(&[], &[]).unwrap());
    let many: Vec<Curve> = (0..18)
        .map(|k| {
            Curve::new(
                &format!("method {k}"),
                (0..50).map(|i| (f64::from(i), 1.0 / (1.0 + f64::from(i) * 0.1) + 0.05 * f64::from(k))).collect(),
            )
        })
        .collect();
    page.figure(&plot::trend(&many, ("step", "eighteen curves"), &[]).unwrap());

    page.section("Worst mistakes");
    let mistakes: Vec<Mistake> = pictures
        .chunks(2)
        .enumerate()
        .map(|(i, pair)| {
            Mistake::new(
                &format!("taken for one person, score 0.{}", 90 - i),
                pair.iter()
                    .enumerate()
                    .map(|(k, b)| {
                        Picture::new(
                            if i == 2 && k == 1 { vec![] } else { b.clone() },
                            if k == 0 { "Maria Soledad Alvear Valenzuela" } else { "<Al> 0003" },
                        )
                    })
                    .collect(),
            )
        })
        .collect();
    page.mistakes(&mistakes);
    page.run(&run);
    write_html(out.as_ref(), &page).unwrap();
    table.print().unwrap();
    write_json("/dev/stdout".as_ref(), &run, &serde_json::json!({"accuracy": f64::NAN})).unwrap();
}
