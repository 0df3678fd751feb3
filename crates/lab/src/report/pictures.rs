//! Pictures in a page: the worst mistakes, side by side, inside the file and small enough for many.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use sightline_vision::{Region, RgbImage, Subsampling, encode_rgb, resize_pillow};

use super::text::{clean, escape};
use crate::crops;

/// Longer side of a picture that is shown, twice of what the page gives it.
const SIDE: u32 = 320;

/// JPEG quality of what had to be made smaller.
const QUALITY: u8 = 85;

/// A picture as bytes.
#[derive(Clone, Debug)]
pub struct Picture {
    /// JPEG or PNG.
    pub bytes: Vec<u8>,
    /// What stands under it.
    pub caption: String,
}

impl Picture {
    /// A picture and what stands under it.
    #[must_use]
    pub fn new(bytes: Vec<u8>, caption: &str) -> Self {
        Self { bytes, caption: clean(caption) }
    }

    /// The picture of a file, made smaller where it is large; shown as missing when it cannot be read.
    #[must_use]
    pub fn read(path: &Path, caption: &str) -> Self {
        Self::new(crops::read(path).ok().and_then(|image| small(&image)).unwrap_or_default(), caption)
    }

    fn html(&self) -> String {
        let caption = escape(&self.caption);
        let image = match kind(&self.bytes) {
            Some(kind) => {
                format!("<img alt=\"{caption}\" src=\"data:image/{kind};base64,{}\">", STANDARD.encode(&self.bytes))
            }
            None => "<span class=\"nothing\">no picture</span>".to_owned(),
        };
        // File names are long: they break where their parts end.
        let shown = caption.replace('/', "/<wbr>").replace('_', "_<wbr>");
        format!("<figure>{image}<figcaption>{shown}</figcaption></figure>")
    }
}

fn small(image: &RgbImage) -> Option<Vec<u8>> {
    let (width, height) = (image.width(), image.height());
    let scale = f64::from(SIDE) / f64::from(width.max(height));
    let encode = |image: &RgbImage| encode_rgb(image, QUALITY, Subsampling::Half).ok();
    if scale >= 1.0 {
        return encode(image);
    }
    let [new_width, new_height] = [width, height].map(|side| ((f64::from(side) * scale).round() as u32).max(1));
    encode(&resize_pillow(image, Region { x: 0, y: 0, width, height }, new_width, new_height))
}

/// One mistake: the pictures it is about, and what went wrong.
#[derive(Clone, Debug)]
pub struct Mistake {
    /// In a few words, such as `taken for one person, score 0.71`.
    pub title: String,
    /// One, or the two of a pair.
    pub pictures: Vec<Picture>,
}

impl Mistake {
    /// A mistake.
    #[must_use]
    pub fn new(title: &str, pictures: Vec<Picture>) -> Self {
        Self { title: clean(title), pictures }
    }
}

/// A grid of mistakes.
pub(crate) fn html(mistakes: &[Mistake]) -> String {
    if mistakes.is_empty() {
        return "<p class=\"nothing\">No mistakes to show.</p>\n".to_owned();
    }
    let items = mistakes.iter().map(|mistake| {
        let pictures: String = mistake.pictures.iter().map(Picture::html).collect();
        format!("<li><div class=\"pair\">{pictures}</div><p>{}</p></li>\n", escape(&mistake.title))
    });
    format!("<ul class=\"mistakes\">\n{}</ul>\n", items.collect::<String>())
}

fn kind(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xd8, 0xff, ..] => Some("jpeg"),
        [0x89, b'P', b'N', b'G', ..] => Some("png"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use sightline_vision::{RgbImage, Subsampling, decode_still, encode_rgb};

    use super::{Mistake, Picture, html};

    #[test]
    fn pictures_are_inside_the_page_and_text_is_escaped() {
        let picture = Picture::new(vec![0xff, 0xd8, 0xff, 0], "Al \"<b>\"");
        let page = html(&[Mistake::new("score <0.7", vec![picture])]);
        assert!(page.contains("src=\"data:image/jpeg;base64,/9j/AA==\""), "{page}");
        assert!(page.contains("alt=\"Al &quot;&lt;b&gt;&quot;\"") && page.contains("score &lt;0.7"), "{page}");
    }

    #[test]
    fn a_large_picture_is_made_small_and_a_missing_one_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large.jpg");
        let large = RgbImage::filled(2000, 1000, [9, 9, 9]);
        std::fs::write(&path, encode_rgb(&large, 90, Subsampling::Half).unwrap()).unwrap();
        let shown = decode_still(&Picture::read(&path, "x").bytes, 1_000_000).unwrap();
        assert_eq!((shown.width(), shown.height()), (320, 160));
        let missing = Mistake::new("x", vec![Picture::read(&folder.path().join("none.jpg"), "y")]);
        assert!(html(&[missing]).contains("no picture"));
    }

    #[test]
    fn bytes_that_are_no_picture_are_not_shown() {
        let page = html(&[Mistake::new("x", vec![Picture::new(b"<svg onload=x>".to_vec(), "y")])]);
        assert!(page.contains("no picture") && !page.contains("<img"), "{page}");
        assert!(html(&[]).contains("No mistakes"));
    }
}
