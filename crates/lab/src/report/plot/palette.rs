//! Colours. Each is written into a picture as its light form; the page's style sheet swaps it on a dark screen.

use plotters::style::RGBColor;

/// A colour by its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Paint {
    light: (u8, u8, u8),
    dark: (u8, u8, u8),
}

const fn paint(light: u32, dark: u32) -> Paint {
    Paint { light: split(light), dark: split(dark) }
}

const fn split(code: u32) -> (u8, u8, u8) {
    let [_, red, green, blue] = code.to_be_bytes();
    (red, green, blue)
}

/// Axes and what is written.
pub(crate) const INK: Paint = paint(0x1F_23_28, 0xE6_E8_EA);
/// Numbers at the axes, guides.
pub(crate) const MUTED: Paint = paint(0x4C_55_5F, 0xA9_B2_BB);
/// Lines of the grid.
pub(crate) const GRID: Paint = paint(0xD3_D9_DF, 0x40_48_51);
/// The lines between them.
pub(crate) const FINE: Paint = paint(0xEC_EF_F2, 0x28_2E_34);
/// What everything is drawn on, for numbers on dark cells.
pub(crate) const PAPER: Paint = paint(0xFF_FF_FE, 0x15_18_1B);

/// Curves, points and areas, told apart by people who do not see every colour; the second half repeats the first one
/// with a bit changed, so that the style sheet can dash it differently.
const SERIES: [Paint; 16] = [
    paint(0x00_72_B2, 0x56_B4_E9),
    paint(0xC2_4E_00, 0xFF_8F_45),
    paint(0x00_80_5E, 0x2F_C7_9A),
    paint(0xA8_38_7F, 0xE5_8B_C2),
    paint(0x9A_67_00, 0xE6_B8_00),
    paint(0x70_70_70, 0xB8_B8_B8),
    paint(0x0B_7A_90, 0x7F_DB_FF),
    paint(0x7B_2D_26, 0xFF_9B_94),
    paint(0x00_72_B3, 0x56_B4_E9),
    paint(0xC2_4E_01, 0xFF_8F_45),
    paint(0x00_80_5F, 0x2F_C7_9A),
    paint(0xA8_38_80, 0xE5_8B_C2),
    paint(0x9A_67_01, 0xE6_B8_00),
    paint(0x70_70_71, 0xB8_B8_B8),
    paint(0x0B_7A_91, 0x7F_DB_FF),
    paint(0x7B_2D_27, 0xFF_9B_94),
];

/// Strokes of a line in the picture's units, for lines that share a place or a colour.
const DASHES: [&str; 4] = ["none", "36 12", "8 10", "44 12 8 12"];

/// Of the so manyth curve; after sixteen they come round again.
pub(crate) const fn series(index: usize) -> Paint {
    SERIES[index % SERIES.len()]
}

impl Paint {
    /// For the plotting library.
    pub(crate) const fn rgb(self) -> RGBColor {
        RGBColor(self.light.0, self.light.1, self.light.2)
    }

    /// As the plotting library writes it.
    pub(crate) fn code(self) -> String {
        code(self.light)
    }
}

fn code((red, green, blue): (u8, u8, u8)) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}

/// The part of the style sheet that knows these colours.
pub(crate) fn styles() -> String {
    let mut text = String::new();
    for (index, paint) in SERIES.iter().enumerate() {
        // Eight colours and four strokes: the second round of colours starts two strokes on.
        let dash = DASHES[(index + 2 * (index / 8)) % DASHES.len()];
        text += &format!(".plot polyline[stroke=\"{}\"]{{stroke-dasharray:{dash}}}\n", paint.code());
    }
    text.push_str("@media screen and (prefers-color-scheme:dark){\n");
    for paint in SERIES.iter().chain(&[INK, MUTED, GRID, FINE, PAPER]) {
        let (light, dark) = (paint.code(), code(paint.dark));
        text += &format!(".plot [stroke=\"{light}\"]{{stroke:{dark}}}.plot [fill=\"{light}\"]{{fill:{dark}}}\n");
    }
    text.push_str("}\n");
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{FINE, GRID, INK, MUTED, PAPER, SERIES, series, styles};

    #[test]
    fn every_colour_is_known_to_the_style_sheet_and_none_twice() {
        let all: Vec<_> = SERIES.iter().chain(&[INK, MUTED, GRID, FINE, PAPER]).collect();
        let codes: HashSet<_> = all.iter().map(|paint| paint.code()).collect();
        assert_eq!(codes.len(), all.len());
        assert!(codes.iter().all(|code| styles().contains(&format!("[fill=\"{code}\"]"))));
    }

    #[test]
    fn colours_come_round() {
        assert_eq!(series(16), series(0));
        assert_ne!(series(8), series(0));
    }
}
