//! The confusion matrix as a heat map with numbers.

use super::canvas::{self, Anchor, Canvas, DrawError, Failure, fill, font, stroke};
use super::palette::{FINE, GRID, INK, MUTED, PAPER, Paint, series};
use crate::report::figure::{Figure, Key};
use crate::report::text::{clean, shorten, width};

/// More classes than this, and only those with most mistakes are drawn.
const MOST: usize = 100;
/// From so many rows on, names stand on all four sides.
const MANY: usize = 25;
/// A matrix wider than this may not fit a window.
const PAGE: u32 = 960;
/// Sides of a cell in pixels.
const CELL: (f64, f64) = (18.0, 64.0);
const NAME: f64 = 12.0;
/// The longest name, in units of its size.
const LONGEST: f64 = 16.0;

/// Who was taken for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    classes: Vec<String>,
    counts: Vec<Vec<usize>>,
    columns: Vec<(String, Vec<usize>)>,
}

impl Confusion {
    /// `counts[i][j]`: how often class i was taken for class j. What is missing counts as 0.
    #[must_use]
    pub fn new(classes: &[String], counts: &[Vec<usize>]) -> Self {
        let classes = classes.iter().map(|class| clean(class)).collect();
        Self { classes, counts: counts.to_vec(), columns: Vec::new() }
    }

    /// Adds a column beside the classes, such as the rejected of each class. One without a count is not drawn.
    #[must_use]
    pub fn column(mut self, name: &str, counts: &[usize]) -> Self {
        self.columns.push((clean(name), counts.to_vec()));
        self
    }

    fn count(&self, row: usize, class: usize) -> usize {
        self.counts.get(row).and_then(|counts| counts.get(class)).copied().unwrap_or(0)
    }

    fn beside(&self, row: usize) -> impl Iterator<Item = usize> + '_ {
        self.columns.iter().map(move |(_, counts)| counts.get(row).copied().unwrap_or(0))
    }

    fn total(&self, row: usize) -> usize {
        (0..self.classes.len()).map(|class| self.count(row, class)).chain(self.beside(row)).sum()
    }

    /// The classes to draw, in order.
    fn chosen(&self) -> Vec<usize> {
        let mut classes: Vec<usize> = (0..self.classes.len()).collect();
        if classes.len() > MOST {
            let own = |class: usize| self.count(class, class);
            let named = |class: usize| (0..self.classes.len()).map(|row| self.count(row, class)).sum::<usize>();
            classes.sort_by_cached_key(|class| std::cmp::Reverse(self.total(*class) + named(*class) - 2 * own(*class)));
            classes.truncate(MOST);
            classes.sort_unstable();
        }
        classes
    }
}

/// Rows are the truth, columns the answers.
///
/// # Errors
/// When the plotting library fails.
pub fn confusion(matrix: &Confusion) -> Result<Figure, DrawError> {
    let figure = Figure::new(
        "Confusion matrix",
        "Each row is a class, each column what it was taken for. The fuller the colour, the larger the share of the row.",
    );
    let heat = Heat::new(matrix);
    if heat.rows.is_empty() {
        return Ok(figure);
    }
    let svg = canvas::draw(heat.size(), "Confusion matrix", |canvas| heat.paint(canvas))?;
    let mut keys = vec![Key::area(series(0), "right", ""), Key::area(series(1), "taken for another", "")];
    if heat.columns.len() > heat.rows.len() {
        keys.push(Key::area(series(5), "not named", ""));
    }
    let mut figure = figure.drawn(svg, keys).wide();
    let all = matrix.classes.len();
    if all > MOST {
        let most = format!("The {MOST} of {all} classes with most mistakes; mistakes between others are not shown.");
        figure = figure.note(&most);
    }
    Ok(if heat.size().0 > PAGE { figure.note("In a narrow window, scroll the matrix sideways.") } else { figure })
}

struct Cell {
    count: usize,
    share: f64,
    paint: Paint,
}

/// The matrix laid out.
struct Heat {
    rows: Vec<String>,
    columns: Vec<String>,
    cells: Vec<Vec<Cell>>,
    cell: f64,
    left: f64,
    top: f64,
    /// Room for the names repeated on the right and at the bottom.
    repeated: (f64, f64),
    /// Names of columns go up, because they are too wide for a cell.
    up: bool,
}

impl Heat {
    fn new(matrix: &Confusion) -> Self {
        let chosen = matrix.chosen();
        let rows: Vec<String> = chosen.iter().map(|class| shorten(&matrix.classes[*class], LONGEST)).collect();
        let used = |index: usize| chosen.iter().any(|row| matrix.beside(*row).nth(index).unwrap_or(0) > 0);
        let beside: Vec<usize> = (0..matrix.columns.len()).filter(|index| used(*index)).collect();
        let mut columns = rows.clone();
        columns.extend(beside.iter().map(|index| shorten(&matrix.columns[*index].0, LONGEST)));
        let cells: Vec<Vec<Cell>> = chosen.iter().map(|row| cells(matrix, *row, &chosen, &beside)).collect();
        let digits = cells.iter().flatten().map(|cell| width(&brief(cell.count))).fold(0.0, f64::max);
        // Numbers of eight pixels fit the smallest cell.
        let least = CELL.0.max(digits * 8.0 + 3.0);
        let cell = (720.0 / columns.len() as f64).clamp(least, CELL.1.max(least)).floor();
        let widest = |names: &[String]| names.iter().map(|name| width(name) * NAME).fold(0.0, f64::max);
        let up = widest(&columns) > cell - 6.0;
        let top = if up { widest(&columns) } else { NAME * 1.4 } + 30.0;
        let repeated = if rows.len() >= MANY { (widest(&rows) + 7.0, widest(&columns) + 7.0) } else { (0.0, 0.0) };
        Self { left: widest(&rows) + 34.0, top, repeated, up, rows, columns, cells, cell }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a hundred cells at most")]
    fn size(&self) -> (u32, u32) {
        let (right, bottom) = self.at(self.rows.len(), self.columns.len());
        // The title over the columns may be wider than the columns.
        let right = (right + self.repeated.0).max(self.left + 110.0);
        let bottom = (bottom + self.repeated.1).max(self.top + 60.0);
        ((right + 12.0).ceil() as u32, (bottom + 12.0).ceil() as u32)
    }

    fn at(&self, row: usize, column: usize) -> (f64, f64) {
        (self.left + column as f64 * self.cell, self.top + row as f64 * self.cell)
    }

    fn paint(&self, canvas: &Canvas<'_>) -> Result<(), Failure> {
        self.grid(canvas)?;
        for (row, cells) in self.cells.iter().enumerate() {
            for (column, cell) in cells.iter().enumerate().filter(|(_, cell)| cell.count > 0) {
                self.cell(canvas, self.at(row, column), cell)?;
            }
        }
        self.names(canvas)
    }

    fn grid(&self, canvas: &Canvas<'_>) -> Result<(), Failure> {
        let (rows, columns) = (self.rows.len(), self.columns.len());
        for row in 0..=rows {
            canvas.line(&[self.at(row, 0), self.at(row, columns)], stroke(FINE, 1.0))?;
        }
        for column in 0..=columns {
            canvas.line(&[self.at(0, column), self.at(rows, column)], stroke(FINE, 1.0))?;
        }
        let corners = [(0, 0), (0, columns), (rows, columns), (rows, 0), (0, 0)];
        canvas.line(&corners.map(|(row, column)| self.at(row, column)), stroke(GRID, 1.0))?;
        if columns > rows {
            canvas.line(&[self.at(0, rows), self.at(rows, rows)], stroke(MUTED, 1.0))?;
        }
        Ok(())
    }

    fn cell(&self, canvas: &Canvas<'_>, (x, y): (f64, f64), cell: &Cell) -> Result<(), Failure> {
        // A single mistake among many does not fade away; at half of the row the colour jumps, and with it the
        // number's, so that it can be read on light and on dark pages.
        let most = cell.share >= 0.5;
        let opacity = if most { 0.78 + 0.44 * (cell.share - 0.5) } else { 0.14 + 0.7 * cell.share };
        let end = (x + self.cell - 0.5, y + self.cell - 0.5);
        canvas.rectangle((x + 0.5, y + 0.5), end, fill(cell.paint, opacity))?;
        let text = brief(cell.count);
        let size = (self.cell * 0.5).min((self.cell - 3.0) / width(&text)).min(15.0);
        let paint = if most { PAPER } else { INK };
        canvas.text(&text, &font(size, paint, Anchor::Middle), (x + self.cell / 2.0, y + self.cell / 2.0))
    }

    fn names(&self, canvas: &Canvas<'_>) -> Result<(), Failure> {
        let half = self.cell / 2.0;
        for (row, name) in self.rows.iter().enumerate() {
            let (x, y) = self.at(row, 0);
            canvas.text(name, &font(NAME, INK, Anchor::Right), (x - 7.0, y + half))?;
            if self.repeated.0 > 0.0 {
                let right = self.at(row, self.columns.len()).0 + 7.0;
                canvas.text(name, &font(NAME, INK, Anchor::Left), (right, y + half))?;
            }
        }
        let anchor = if self.up { Anchor::Up } else { Anchor::Middle };
        for (column, name) in self.columns.iter().enumerate() {
            let (x, y) = self.at(0, column);
            let above = if self.up { 7.0 } else { NAME };
            canvas.text(name, &font(NAME, INK, anchor), (x + half, y - above))?;
            if self.repeated.1 > 0.0 {
                let below = self.at(self.rows.len(), column).1 + 7.0;
                canvas.text(name, &font(NAME, INK, Anchor::Down), (x + half, below))?;
            }
        }
        canvas.text("taken for", &font(NAME, MUTED, Anchor::Left), (self.left, 12.0))?;
        let upright = font(NAME, MUTED, Anchor::Middle).transform(plotters::prelude::FontTransform::Rotate270);
        let middle = self.top + (self.rows.len() as f64 * self.cell).max(60.0) / 2.0;
        canvas.text("person", &upright, (12.0, middle))
    }
}

fn cells(matrix: &Confusion, row: usize, chosen: &[usize], beside: &[usize]) -> Vec<Cell> {
    let total = matrix.total(row).max(1) as f64;
    let cell = |count: usize, paint: Paint| Cell { count, share: count as f64 / total, paint };
    let classes = chosen.iter().map(|class| cell(matrix.count(row, *class), series(usize::from(*class != row))));
    let others = beside.iter().map(|index| cell(matrix.beside(row).nth(*index).unwrap_or(0), series(5)));
    classes.chain(others).collect()
}

/// A count that fits a cell.
fn brief(count: usize) -> String {
    match count {
        0..=9_999 => count.to_string(),
        10_000..=999_499 => format!("{}k", (count + 500) / 1_000),
        _ => format!("{:.0}M", count as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::{Confusion, MOST, brief, confusion};

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|index| format!("person {index}")).collect()
    }

    #[test]
    fn nothing_and_one_class() {
        assert!(confusion(&Confusion::new(&[], &[])).unwrap().html().contains("Nothing to draw"));
        let html = confusion(&Confusion::new(&names(1), &[vec![5]])).unwrap().html();
        assert!(html.contains("\n5\n") && html.contains("person 0"), "{html}");
        assert!(!html.contains("NaN"), "{html}");
    }

    #[test]
    fn counts_that_are_missing_or_zero_draw_no_cell() {
        let html = confusion(&Confusion::new(&names(3), &[vec![0, 2], vec![]]).column("missed", &[0])).unwrap().html();
        let picture = html.split("</svg>").next().unwrap();
        assert_eq!(picture.matches("<rect").count(), 1, "{picture}");
        assert!(!html.contains("missed") && !html.contains("not named"), "{html}");
    }

    #[test]
    fn a_column_beside_is_drawn_when_it_counts() {
        let html = confusion(&Confusion::new(&names(1), &[vec![3]]).column("rejected <", &[4])).unwrap().html();
        assert!(html.contains("rejected &lt;") && html.contains("\n4\n") && html.contains("not named"), "{html}");
    }

    #[test]
    fn of_many_classes_those_with_mistakes_are_drawn() {
        let count = MOST + 50;
        let mut counts: Vec<Vec<usize>> =
            (0..count).map(|i| (0..count).map(|j| usize::from(i == j) * 9).collect()).collect();
        counts[140][141] = 3;
        let matrix = Confusion::new(&names(count), &counts);
        let chosen = matrix.chosen();
        assert!(chosen.len() == MOST && chosen.contains(&140) && chosen.contains(&141));
        assert!(confusion(&matrix).unwrap().html().contains("The 100 of 150 classes"));
    }

    #[test]
    fn long_counts_are_shortened() {
        assert_eq!([0, 9_999, 10_000, 999_499, 1_200_000].map(brief), ["0", "9999", "10k", "999k", "1M"]);
    }
}
