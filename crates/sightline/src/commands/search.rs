//! `sightline search`.

use std::path::Path;

use anyhow::Result;
use sightline_gateway::api::{Recognition, RecognizedFace};

use crate::args::{Arguments, Output};
use crate::client::Client;
use crate::output;

pub(crate) fn run(arguments: &Arguments, image: &Path, k: u32) -> Result<()> {
    let found: Recognition = Client::new(arguments).upload(&format!("/recognize?k={k}"), image)?;
    if arguments.output == Output::Json {
        return output::json(&found);
    }
    let rows: Vec<Vec<String>> = found.faces.iter().enumerate().flat_map(|(index, face)| rows(index, face)).collect();
    Ok(output::table(&["face", "position", "size", "outcome", "nearest", "score"], &rows)?)
}

/// A line for each of the people near to a face; the face itself stands in the first.
fn rows(index: usize, face: &RecognizedFace) -> Vec<Vec<String>> {
    let [x1, y1, x2, y2] = face.bbox;
    let outcome = match &face.flaw {
        Some(flaw) => format!("{} ({flaw})", face.outcome.as_str()),
        None => face.outcome.as_str().to_owned(),
    };
    let head =
        [format!("{}", index + 1), format!("{x1:.0},{y1:.0}"), format!("{:.0}x{:.0}", x2 - x1, y2 - y1), outcome];
    let mut people: Vec<(String, String)> =
        face.people.iter().map(|person| (person.name.clone(), format!("{:.3}", person.score))).collect();
    if people.is_empty() {
        people.push(("nobody is enrolled".to_owned(), String::new()));
    }
    let line = |(at, (name, score)): (usize, (String, String))| {
        let head = if at == 0 { head.to_vec() } else { vec![String::new(); head.len()] };
        head.into_iter().chain([name, score]).collect()
    };
    people.into_iter().enumerate().map(line).collect()
}
