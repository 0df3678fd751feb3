//! Points, boxes and the five landmarks of a face.

/// A position in pixels of the image that the context names.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// To the right.
    pub x: f32,
    /// Down.
    pub y: f32,
}

/// Left eye, right eye, nose, left and right mouth corner; left and right as seen in the picture.
pub type Landmarks = [Point; 5];

/// A box with its sides parallel to the axes; `x2` and `y2` are exclusive. Not clipped to any image.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rect {
    /// Left side.
    pub x1: f32,
    /// Upper side.
    pub y1: f32,
    /// Right side.
    pub x2: f32,
    /// Lower side.
    pub y2: f32,
}

impl Rect {
    /// The box with these sides.
    #[must_use]
    pub const fn new(x1: f32, y1: f32, x2: f32, y2: f32) -> Self {
        Self { x1, y1, x2, y2 }
    }

    /// Width in pixels; negative for a box turned inside out.
    #[must_use]
    pub fn width(&self) -> f32 {
        self.x2 - self.x1
    }

    /// Height in pixels; negative for a box turned inside out.
    #[must_use]
    pub fn height(&self) -> f32 {
        self.y2 - self.y1
    }

    /// Area in square pixels, 0 for an empty or inverted box.
    #[must_use]
    pub fn area(&self) -> f32 {
        self.width().max(0.0) * self.height().max(0.0)
    }

    /// Centre of the box.
    #[must_use]
    pub fn center(&self) -> Point {
        Point { x: (self.x1 + self.x2) / 2.0, y: (self.y1 + self.y2) / 2.0 }
    }

    /// The common part of two boxes; empty (area 0) when they do not touch.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self {
            x1: self.x1.max(other.x1),
            y1: self.y1.max(other.y1),
            x2: self.x2.min(other.x2),
            y2: self.y2.min(other.y2),
        }
    }

    /// Intersection over union, 0 for boxes without area.
    #[must_use]
    pub fn iou(&self, other: &Self) -> f32 {
        let common = self.intersection(other).area();
        let union = self.area() + other.area() - common;
        if union > 0.0 { common / union } else { 0.0 }
    }

    /// The square around the centre whose side is `factor` times the longer side of this box.
    #[must_use]
    pub fn square(&self, factor: f32) -> Self {
        let half = self.width().max(self.height()) * factor / 2.0;
        let c = self.center();
        Self { x1: c.x - half, y1: c.y - half, x2: c.x + half, y2: c.y + half }
    }

    /// This box grown by `fraction` of its width and height on every side.
    #[must_use]
    pub fn grown(&self, fraction: f32) -> Self {
        let (dx, dy) = (self.width() * fraction, self.height() * fraction);
        Self { x1: self.x1 - dx, y1: self.y1 - dy, x2: self.x2 + dx, y2: self.y2 + dy }
    }

    /// All four numbers are finite and the box has a positive area.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        [self.x1, self.y1, self.x2, self.y2].iter().all(|v| v.is_finite()) && self.x2 > self.x1 && self.y2 > self.y1
    }

    /// `[x1, y1, x2, y2]`, as events and the command line write it.
    #[must_use]
    pub const fn to_array(self) -> [f32; 4] {
        [self.x1, self.y1, self.x2, self.y2]
    }
}

#[cfg(test)]
mod tests {
    use super::Rect;

    #[test]
    fn iou_of_half_overlapping_boxes() {
        let a = Rect::new(0.0, 0.0, 2.0, 2.0);
        let b = Rect::new(1.0, 0.0, 3.0, 2.0);
        assert!((a.iou(&b) - 1.0 / 3.0).abs() < 1e-6);
        assert_eq!(a.iou(&Rect::new(5.0, 5.0, 6.0, 6.0)), 0.0);
    }

    #[test]
    fn square_is_centred_on_the_box() {
        let s = Rect::new(10.0, 20.0, 20.0, 40.0).square(2.0);
        assert_eq!(s.to_array(), [-5.0, 10.0, 35.0, 50.0]);
    }
}
