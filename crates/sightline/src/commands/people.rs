//! `sightline people`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use sightline_gateway::api::{MergeInto, PersonName};
use sightline_wire::service::{Candidate, FailureReason, Person};

use crate::args::{Arguments, Output, People as Command, UsageError};
use crate::client::{Client, Refused};
use crate::output;

/// A picture whose template is in the gallery already, from a file of another name or found with other settings.
const ENROLLED_BEFORE: &str = "enrolled_before";

/// What became of a picture.
#[derive(Serialize)]
struct Report {
    person: String,
    file: String,
    /// Absent when it was accepted.
    rejected: Option<String>,
    quality: Option<f32>,
    /// Another person as whom the face would be accepted.
    resembles: Option<Candidate>,
}

pub(crate) fn run(arguments: &Arguments, command: &Command) -> Result<()> {
    let client = Client::new(arguments);
    match command {
        Command::Enroll { name, paths } => enroll(arguments, &client, name.as_deref(), paths),
        Command::List => list(arguments, &client),
        Command::Rename { person, name } => {
            let person = client.person(person)?;
            let renamed: Person =
                client.patch(&format!("/people/{}", person.id), &PersonName { name: name.clone() })?;
            show(arguments, &[renamed])
        }
        Command::Merge { from, into } => {
            let (from, into) = (client.person(from)?, client.person(into)?);
            let one: Person = client.post(&format!("/people/{}/merge", from.id), &MergeInto { into: into.id })?;
            show(arguments, &[one])
        }
        Command::Remove { person } => {
            let person = client.person(person)?;
            client.delete(&format!("/people/{}", person.id))?;
            match arguments.output {
                Output::Json => output::json(&person),
                Output::Table => Ok(output::line(&format!("removed {}", person.name))?),
            }
        }
    }
}

fn list(arguments: &Arguments, client: &Client) -> Result<()> {
    show(arguments, &client.people()?)
}

fn show(arguments: &Arguments, people: &[Person]) -> Result<()> {
    if arguments.output == Output::Json {
        return people.iter().try_for_each(output::json);
    }
    let row = |person: &Person| {
        vec![person.name.clone(), person.templates.to_string(), person.created.to_string(), person.id.to_string()]
    };
    Ok(output::table(&["name", "templates", "since", "id"], &people.iter().map(row).collect::<Vec<_>>())?)
}

/// One person by name, or a folder of people. Fails when not one picture of somebody was accepted.
fn enroll(arguments: &Arguments, client: &Client, name: Option<&str>, paths: &[PathBuf]) -> Result<()> {
    let people = match (name, paths) {
        (Some(name), paths) => vec![(name.to_owned(), pictures_of_one(paths)?)],
        (None, [folder]) if folder.is_dir() => folders(folder)?,
        (None, [path]) if !path.exists() => {
            return Err(UsageError(format!("there is no folder {}", path.display())).into());
        }
        _ => {
            return Err(
                UsageError("give a folder with one folder for each person, or pictures and --name".to_owned()).into()
            );
        }
    };
    let mut reports = Vec::new();
    let outcome = enroll_people(client, people, &mut reports);
    // Also when it broke off: what was enrolled by then is.
    let printed = match arguments.output {
        Output::Json => reports.iter().try_for_each(output::json),
        Output::Table => table(&reports),
    };
    // That nobody reads it is the least of what may have happened.
    let without = outcome?;
    if !without.is_empty() {
        bail!("no picture was accepted of: {}", without.join(", "));
    }
    printed
}

/// Those of whom no picture is in the gallery.
fn enroll_people(
    client: &Client,
    people: Vec<(String, Vec<PathBuf>)>,
    reports: &mut Vec<Report>,
) -> Result<Vec<String>> {
    let mut without = Vec::new();
    for (name, pictures) in people {
        let before = reports.len();
        enroll_person(client, &name, &pictures, reports)?;
        let is_in = |report: &Report| report.rejected.as_deref().is_none_or(|reason| reason == ENROLLED_BEFORE);
        if !reports[before..].iter().any(is_in) {
            without.push(name);
        }
    }
    Ok(without)
}

fn enroll_person(client: &Client, name: &str, pictures: &[PathBuf], reports: &mut Vec<Report>) -> Result<()> {
    if pictures.is_empty() {
        return Ok(());
    }
    let (person, is_new) = match client.person_named(name)? {
        Some(person) => (person, false),
        None => (client.post("/people", &PersonName { name: name.to_owned() })?, true),
    };
    let before = reports.len();
    let outcome = enroll_pictures(client, &person, pictures, reports);
    if is_new && reports[before..].iter().all(|report| report.rejected.is_some()) {
        // Of two failures the first says more.
        return outcome.and(take_back(client, &person));
    }
    outcome
}

/// Removes a person whom this command added, unless somebody else has enrolled a picture since, or removed the person.
fn take_back(client: &Client, person: &Person) -> Result<()> {
    let is_settled = |error: &anyhow::Error| {
        error.downcast_ref::<Refused>().is_some_and(|refused| refused.status == 404 || refused.status == 409)
    };
    match client.delete(&format!("/people/{}/if-empty", person.id)) {
        Err(error) if is_settled(&error) => Ok(()),
        outcome => outcome.with_context(|| format!("\"{}\" stays without a picture", person.name)),
    }
}

fn enroll_pictures(client: &Client, person: &Person, pictures: &[PathBuf], reports: &mut Vec<Report>) -> Result<()> {
    for picture in pictures {
        let (rejected, accepted) = match client.enroll(person.id, picture) {
            Ok(face) => (None, Some(face)),
            Err(error) => match error.downcast_ref::<Refused>() {
                // The picture's fault; anything else stops the whole.
                Some(refused) if (400..500).contains(&refused.status) && refused.status != 429 => {
                    (Some(reason(refused)), None)
                }
                Some(_) => return Err(error),
                None if !picture.is_file() => (Some(format!("{error:#}")), None),
                None => return Err(error),
            },
        };
        let quality = accepted.as_ref().map(|face| face.quality);
        let resembles = accepted.and_then(|face| face.resembles);
        let (person, file) = (person.name.clone(), picture.display().to_string());
        reports.push(Report { person, file, rejected, quality, resembles });
    }
    Ok(())
}

fn reason(refused: &Refused) -> String {
    match &refused.reason {
        // The key is made of the person and the picture: a known one with another request is this picture under another name.
        Some(reason) if reason == FailureReason::KeyReused.as_str() => ENROLLED_BEFORE.to_owned(),
        // Of the face.
        Some(reason) if refused.status == 422 => reason.clone(),
        _ => refused.detail.clone(),
    }
}

fn table(reports: &[Report]) -> Result<()> {
    let row = |report: &Report| {
        let verdict = match (&report.rejected, report.quality) {
            (Some(reason), _) => format!("rejected: {reason}"),
            (None, quality) => format!("accepted, quality {:.2}", quality.unwrap_or_default()),
        };
        vec![report.person.clone(), report.file.clone(), verdict]
    };
    output::table(&["person", "picture", "verdict"], &reports.iter().map(row).collect::<Vec<_>>())?;
    for (report, other) in reports.iter().filter_map(|report| Some((report, report.resembles.as_ref()?))) {
        output::line(&format!(
            "warning: {}: \"{}\" resembles \"{}\" (score {:.2}); if they are one, join them with `sightline people merge`",
            report.file, report.person, other.name, other.score
        ))?;
    }
    let accepted = reports.iter().filter(|report| report.rejected.is_none()).count();
    Ok(output::line(&format!("{accepted} of {} pictures accepted", reports.len()))?)
}

/// `DIR/name/*.jpg|png`, by name.
fn folders(folder: &Path) -> Result<Vec<(String, Vec<PathBuf>)>> {
    let mut people = Vec::new();
    for path in entries(folder)? {
        if let (true, Some(name)) = (path.is_dir(), path.file_name().and_then(|name| name.to_str())) {
            people.push((name.to_owned(), pictures_in(&path)?));
        }
    }
    if people.is_empty() {
        let folder = folder.display();
        return Err(UsageError(format!(
            "{folder} has no folders: one for each person is needed; if its pictures are of one person, say whose with --name"
        ))
        .into());
    }
    Ok(people)
}

/// The pictures that are named; of a folder every one in it.
fn pictures_of_one(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut pictures = Vec::new();
    for path in paths {
        if !path.is_dir() {
            pictures.push(path.clone());
            continue;
        }
        let found = pictures_in(path)?;
        if found.is_empty() {
            return Err(UsageError(format!("{} has no pictures (jpg, png)", path.display())).into());
        }
        pictures.extend(found);
    }
    Ok(pictures)
}

fn pictures_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut pictures = entries(folder)?;
    pictures.retain(|path| {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        ["jpg", "jpeg", "png"].contains(&extension.to_ascii_lowercase().as_str())
    });
    Ok(pictures)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let list = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut paths: Vec<PathBuf> = list.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    paths.sort();
    Ok(paths)
}
