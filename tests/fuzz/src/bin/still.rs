//! Pictures that users send: JPEG and PNG.
#![no_main]

use std::io::Cursor;

use image::{DynamicImage, ImageFormat};
use libfuzzer_sys::fuzz_target;
use sightline_fuzz::seed;
use sightline_vision::{RgbImage, Subsampling, decode_still, encode_rgb};

const LIMIT: u64 = 256 * 256;

fuzz_target!(init: seed(examples()), |bytes: &[u8]| {
    let Ok(picture) = decode_still(bytes, LIMIT) else { return };
    let (width, height) = (picture.width(), picture.height());
    let pixels = u64::from(width) * u64::from(height);
    assert!((1..=LIMIT).contains(&pixels) && picture.data().len() as u64 == 3 * pixels);
    assert!(decode_still(bytes, pixels - 1).is_err(), "the limit is not kept");
    assert_eq!(decode_still(bytes, pixels).expect("as before"), picture);
    let jpeg = encode_rgb(&picture, 90, Subsampling::Half).expect("what was read can be written");
    let again = decode_still(&jpeg, pixels).expect("what was written can be read");
    assert_eq!((again.width(), again.height()), (width, height));
});

fn examples() -> Vec<Vec<u8>> {
    let picture = RgbImage::new(9, 7, (0..9 * 7 * 3).map(|i| i as u8).collect()).expect("a picture");
    let jpeg = |subsampling| encode_rgb(&picture, 60, subsampling).expect("a JPEG");
    let png = |picture: DynamicImage| {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, ImageFormat::Png).expect("a PNG");
        bytes.into_inner()
    };
    vec![
        jpeg(Subsampling::Half),
        jpeg(Subsampling::Full),
        png(DynamicImage::new_rgb8(9, 7)),
        png(DynamicImage::new_rgba16(9, 7)),
        png(DynamicImage::new_luma8(9, 7)),
    ]
}
