//! Payloads of image size: whole frames of 1080p, as planes in a process and as JPEG between processes.

use sightline_vision::{ColorMatrix, ColorRange, Planes};
use sightline_wire::{CaptureMode, Frame, Wire};

use crate::common::{Site, frame_of, take, take_one};

on_both_buses!(a_frame_of_1080p_arrives, frames_beyond_a_mebibyte_arrive);

const SIZE: (u32, u32) = (1920, 1080);

/// A picture of 1080p: slopes and edges, with noise of the given strength so that JPEG cannot make it small.
fn planes(noise: u8) -> Planes {
    let mut random = fastrand::Rng::with_seed(11);
    let (width, height) = (SIZE.0 as usize, SIZE.1 as usize);
    let mut samples = Vec::with_capacity(width * height * 3 / 2);
    for y in 0..height {
        for x in 0..width {
            let slope = 40 + x * 120 / width + y * 40 / height;
            let edge = if (x / 64 + y / 64) % 2 == 0 { 20 } else { 0 };
            samples.push(u8::try_from(slope + edge).unwrap().saturating_add(random.u8(..=noise)));
        }
    }
    for at in 0..width * height / 2 {
        samples.push(100 + u8::try_from(at % 50).unwrap());
    }
    Planes::from_i420(SIZE, (ColorMatrix::Bt709, ColorRange::Limited), samples).unwrap()
}

/// Mean difference of the luma samples.
fn difference(a: &Planes, b: &Planes) -> f64 {
    let ((a, a_stride), (b, b_stride)) = (a.plane(0), b.plane(0));
    let mut sum = 0_u64;
    for y in 0..SIZE.1 as usize {
        for x in 0..SIZE.0 as usize {
            sum += u64::from(a[y * a_stride + x].abs_diff(b[y * b_stride + x]));
        }
    }
    sum as f64 / f64::from(SIZE.0 * SIZE.1)
}

async fn a_frame_of_1080p_arrives(site: Site) {
    let sent = frame_of("lobby", 1, CaptureMode::Complete, planes(12));
    let outlet = site.peer().await.outlet();
    let mut inbox = site.bus.inbox::<Frame>("detect").await.unwrap();
    outlet.publish(sent.clone()).await.unwrap();
    let delivery = take_one(&mut inbox).await;
    let got = &delivery.item;
    assert_eq!((&got.id, got.stamp, got.mode), (&sent.id, sent.stamp, sent.mode));
    assert_eq!((got.planes.width(), got.planes.height()), SIZE);
    assert_eq!(got.planes.color(), sent.planes.color());
    let shared = std::ptr::eq(got.planes.plane(0).0.as_ptr(), sent.planes.plane(0).0.as_ptr());
    assert_eq!(shared, !site.bus.is_nats(), "in a process the samples are shared and never copied");
    let difference = difference(&got.planes, &sent.planes);
    assert!(difference < 4.0, "the picture is another one: {difference}");
    delivery.done().await.unwrap();
}

async fn frames_beyond_a_mebibyte_arrive(site: Site) {
    let planes = planes(80);
    let size = frame_of("lobby", 0, CaptureMode::Complete, planes.clone()).encode().unwrap().len();
    assert!(size > 1 << 20, "{size} bytes are no test of the broker's default limit");
    let outlet = site.bus.outlet();
    let mut inbox = site.bus.inbox::<Frame>("detect").await.unwrap();
    for seq in 0..4 {
        outlet.publish(frame_of("lobby", seq, CaptureMode::Complete, planes.clone())).await.unwrap();
    }
    let deliveries = take(&mut inbox, 4).await;
    assert_eq!(deliveries.iter().map(|delivery| delivery.item.id.seq).collect::<Vec<_>>(), [0, 1, 2, 3]);
    for delivery in deliveries {
        delivery.done().await.unwrap();
    }
}
