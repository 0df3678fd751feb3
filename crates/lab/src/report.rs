//! Reports: a table for the terminal, JSON for programs, one HTML page for people.
//!
//! Everything here takes plain data (points, scores, counts, bytes of pictures) and knows nothing of how they were
//! measured. Text that comes from outside (names of people, of files, of methods) is made harmless on its way in:
//! control characters are replaced, HTML is escaped, passwords in addresses are hidden.
//!
//! ```no_run
//! use sightline_lab::report::{Column, Curve, Machine, Page, Run, Table, plot, write_html, write_json};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut run = Run::start("verify", env!("CARGO_PKG_VERSION")).seeded(7);
//! let mut table = Table::new([Column::text("method"), Column::number("accuracy")]);
//! table.row(["facenet", "0.9917"]);
//! run.finish();
//! table.print()?;
//! write_json("report.json".as_ref(), &run, &[0.9917])?;
//!
//! let roc = plot::roc(&[Curve::new("facenet", vec![(0.0, 0.97), (0.001, 0.98), (1.0, 1.0)])], &[])?;
//! let mut page = Page::new("Verification");
//! page.section("Accuracy").table(&table).figure(&roc).run(&run);
//! write_html("report.html".as_ref(), &page)?;
//! # Ok(())
//! # }
//! ```

mod envelope;
mod figure;
mod machine;
mod page;
mod pictures;
pub mod plot;
mod secret;
mod table;
mod text;

pub use envelope::{Envelope, ModelUsed, Run, or_refused, write_json};
pub use figure::Figure;
pub use machine::Machine;
pub use page::{Page, write_html};
pub use pictures::{Mistake, Picture};
pub use plot::{Confusion, Curve, DrawError, Mark, Spot};
pub use table::{Column, Table};
