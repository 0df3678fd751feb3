//! Faces cut out as facenet-pytorch cuts them: a picture to look at, and the floats that a network gets.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use sightline_infer::{ExtractedFace, ModelStore, Mtcnn, MtcnnParams, Runtime};
use sightline_vision::{Picture, Subsampling, encode_rgb, to_rgb};

use super::MTCNN;
use super::parallel::each;
use crate::finders::FinderError;
use crate::material::{LeftOut, Material, Shown};
use crate::progress::Progress;
use crate::whole;

/// Of the pictures, 1 to 100. The floats are exact.
const QUALITY: u8 = 95;

/// Writes the faces of every picture below `folder`, as `<picture>_1.jpg` and `<picture>_1.npy`, and says how many there are.
pub(super) fn write(
    (store, params): (&ModelStore, &MtcnnParams),
    (material, threads): (&Material, usize),
    folder: &Path,
) -> anyhow::Result<(usize, Vec<LeftOut>)> {
    let all: Vec<usize> = (0..material.items().len()).collect();
    let progress = Progress::new("cutting faces out", all.len() as u64);
    let open = || -> Result<Mtcnn, FinderError> {
        let runtime = Runtime::load(None, params.device, 1)?;
        Ok(Mtcnn::open(&runtime, store, MTCNN, params.clone())?)
    };
    let see = |mtcnn: &mut Mtcnn, _: usize, shown: &Shown| -> Result<Result<Vec<ExtractedFace>, String>, FinderError> {
        Ok(match shown.picture() {
            Picture::Rgb(image) => Ok(mtcnn.forward(image)?),
            Picture::Planes(planes) => match to_rgb(planes) {
                Ok(image) => Ok(mtcnn.forward(&image)?),
                Err(error) => Err(error.to_string()),
            },
        })
    };
    let (mut written, mut left_out) = (0, Vec::new());
    each((material, &all, threads), open, see, |index, seen| {
        let name = &material.items()[index].name;
        progress.advance(1);
        match seen.and_then(|faces| faces) {
            Err(reason) => left_out.push(LeftOut { file: name.clone(), reason }),
            Ok(faces) => {
                for (face, nth) in faces.iter().zip(1..) {
                    one(face, params.image_size, &folder.join(format!("{name}_{nth}")))?;
                    written += 1;
                }
            }
        }
        Ok(())
    })?;
    Ok((written, left_out))
}

fn one(face: &ExtractedFace, side: u32, path: &Path) -> anyhow::Result<()> {
    let write = |ending: &str, bytes: &[u8]| {
        let path = PathBuf::from(format!("{}.{ending}", path.display()));
        path.parent().map_or(Ok(()), std::fs::create_dir_all).with_context(|| path.display().to_string())?;
        anyhow::Ok(whole::write(&path, |file| file.write_all(bytes))?)
    };
    write("jpg", &encode_rgb(&face.image, QUALITY, Subsampling::Full)?)?;
    write("npy", &npy(&face.tensor, side))
}

/// NumPy's format: three planes of floats, red first.
fn npy(values: &[f32], side: u32) -> Vec<u8> {
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': (3, {side}, {side}), }}");
    // The numbers begin at a multiple of 64 bytes, after ten of the format's own and a line feed.
    let padding = (64 - (10 + header.len() + 1) % 64) % 64;
    header.extend(std::iter::repeat_n(' ', padding));
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

#[cfg(test)]
mod tests {
    use super::npy;

    #[test]
    fn numbers_are_written_as_numpy_writes_them() {
        let bytes = npy(&[-1.0, 0.5, 2.0], 1);
        // numpy 1.26: np.save of np.array([[[-1]], [[.5]], [[2]]], "<f4").
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 1, 1), }";
        let mut expected = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
        expected.extend(format!("{header:<117}\n").as_bytes());
        expected.extend([-1.0_f32, 0.5, 2.0].iter().flat_map(|value| value.to_le_bytes()));
        assert_eq!(bytes, expected);
        assert_eq!((bytes.len() - 12) % 64, 0);
        assert_eq!((npy(&[], 160).len()) % 64, 0);
    }
}
