//! What serde says about a value, in the words of who wrote the file: the key, what stands there, and what may.

use serde_json::Value;

/// Nearer than this (normalised Damerau-Levenshtein distance, 1 is equal) a word counts as misspelt.
const ALIKE: f64 = 0.4;

/// Characters of a value that are shown.
const SHOWN: usize = 80;

/// Keys whose values may hold a password: of these only the kind is shown.
const SECRET: [&str; 3] = ["secret_key", "source", "url"];

/// A text in quotes. One that may hold a password stands in the wrong place as easily as any other: of it only the kind is shown.
pub(super) fn quoted(text: &str) -> String {
    if may_be_secret(text) { "a text".to_owned() } else { format!("\"{text}\"") }
}

/// URLs, and what is left of them when somebody forgets the scheme.
fn may_be_secret(text: &str) -> bool {
    text.contains("://") || text.contains('@')
}

/// The way to the value that serde stumbled over, up to what may be a password in the place of a key.
pub(super) fn path(found: &serde_path_to_error::Path) -> String {
    let mut path = String::new();
    for step in found.iter().map(ToString::to_string).take_while(|step| !may_be_secret(step)) {
        path = if step.starts_with('[') { path + &step } else { below(&path, &step) };
    }
    if path.is_empty() { ".".to_owned() } else { path }
}

/// The key's full path and the reason, from serde's path and message about `file`.
pub(super) fn plain(path: &str, message: &str, file: &Value) -> (String, String) {
    if let Some((unknown, known)) = listed(message, "unknown field `") {
        if may_be_secret(&unknown) {
            return (path.to_owned(), format!("a key in it is none of {}", known.join(", ")));
        }
        let reason = match nearest(&unknown, &known) {
            Some(nearest) => format!("there is no such key; did you mean `{nearest}`?"),
            None => format!("there is no such key; known here: {}", known.join(", ")),
        };
        let named = path == unknown || path.ends_with(&format!(".{unknown}"));
        return (if named { path.to_owned() } else { below(path, &unknown) }, reason);
    }
    if let Some((missing, _)) = listed(message, "missing field `") {
        return (below(path, &missing), "it is missing".to_owned());
    }
    // What an enum's name stands for is a step of serde's path also where nothing but the name was written.
    let path = match path.rsplit_once('.') {
        Some((parent, _)) if path != "." && at(file, parent).is_some_and(|value| !value.is_object()) => parent,
        _ => path,
    };
    let found = at(file, path);
    if let Some((word, known)) = listed(message, "unknown variant `") {
        let nearest = nearest(&word, &known).map(|nearest| format!("; did you mean `{nearest}`?"));
        let reason = format!("{} is none of {}{}", quoted(&word), known.join(", "), nearest.unwrap_or_default());
        return (path.to_owned(), reason);
    }
    let reason = match message.split_once(", expected ") {
        Some((said, expected)) if message.starts_with("invalid ") => {
            let said = if may_be_secret(said) { "what is there" } else { said };
            let shown = found.map_or_else(|| said.to_owned(), |found| shown(path, found));
            format!("{shown} is not {}", allowed(path, expected))
        }
        // A type's own words, which repeat what they refuse.
        _ if found.and_then(Value::as_str).is_some_and(may_be_secret) => "this text cannot be used here".to_owned(),
        _ => message.to_owned(),
    };
    (path.to_owned(), reason)
}

/// What serde expected, in plain words.
pub(super) fn expected(error: &serde_json::Error) -> String {
    let message = error.to_string();
    message.split_once(", expected ").map_or(message.clone(), |(_, expected)| allowed("", expected))
}

/// The word in backquotes after `beginning`, and those of the list that follows.
fn listed(message: &str, beginning: &str) -> Option<(String, Vec<String>)> {
    let (word, rest) = message.strip_prefix(beginning)?.split_once('`')?;
    let known = rest.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    Some((word.to_owned(), known))
}

fn nearest<'a>(unknown: &str, known: &'a [String]) -> Option<&'a str> {
    let rated = known.iter().map(|key| (strsim::normalized_damerau_levenshtein(unknown, key), key.as_str()));
    rated.filter(|(alike, _)| *alike >= ALIKE).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, key)| key)
}

fn below(path: &str, key: &str) -> String {
    if path.is_empty() || path == "." { key.to_owned() } else { format!("{path}.{key}") }
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// The value at a path like `cameras[0].fps`.
fn at<'a>(file: &'a Value, path: &str) -> Option<&'a Value> {
    let mut steps = path.split(['.', '[']).map(|step| step.trim_end_matches(']')).filter(|step| !step.is_empty());
    steps.try_fold(file, |value, step| match value {
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        value => value.get(step),
    })
}

fn shown(path: &str, value: &Value) -> String {
    let kind = match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a group of keys",
    };
    match value {
        _ if SECRET.contains(&last(path)) => kind.to_owned(),
        Value::String(text) if may_be_secret(text) => kind.to_owned(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string().chars().take(SHOWN).collect(),
        _ => kind.to_owned(),
    }
}

/// `expected` is serde's name of a type.
fn allowed(path: &str, expected: &str) -> String {
    let words = match (last(path), expected) {
        ("lost_after" | "stall", _) => "a duration with its unit, as in 500ms, 2s or 1m",
        ("bus" | "memory" | "nats", _) => "memory or {nats: {url: \"nats://127.0.0.1:4222\"}}",
        ("profile", _) => "one of default, classic, fast",
        ("device", _) => "one of cpu, cuda, tensorrt, openvino",
        ("mode", _) => "one of live, complete",
        ("transport", _) => "one of tcp, udp",
        (_, "u32") => "a whole number from 0 to 4294967295",
        (_, "usize" | "u64") => "a whole number, 0 or more",
        (_, "f32" | "f64") => "a number",
        (_, "a string" | "path string") => "a text (in quotes, if it looks like something else)",
        (_, "a sequence") => "a list",
        (_, "unit") => "a word by itself",
        (_, expected) if expected.starts_with("struct ") => "a group of keys with their values",
        (_, expected) => expected,
    };
    words.to_owned()
}
