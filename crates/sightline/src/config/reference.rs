//! `${VAR}` and `${file:PATH}` inside strings.

use serde_json::Value;

/// Where references are looked up.
pub(crate) trait References {
    /// The value of an environment variable.
    fn variable(&self, name: &str) -> Option<String>;
    /// The content of a file, or why it cannot be read.
    fn file(&self, path: &str) -> Result<String, String>;
}

/// The process's own environment and files.
pub(crate) struct Environment;

impl References for Environment {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &str) -> Result<String, String> {
        std::fs::read_to_string(path).map_err(|error| error.to_string())
    }
}

/// A reference that leads nowhere.
pub(super) struct Dangling {
    pub(super) key: String,
    pub(super) reason: String,
}

/// Replaces the references in every string of `value`, camera sources excepted: these are opened elsewhere.
pub(super) fn replace(value: &mut Value, references: &dyn References) -> Result<(), Dangling> {
    walk(value, "", references)
}

fn walk(value: &mut Value, path: &str, references: &dyn References) -> Result<(), Dangling> {
    match value {
        Value::String(text) if !(path.starts_with("cameras[") && path.ends_with(".source")) => {
            *text = expand(text, references).map_err(|reason| Dangling { key: path.to_owned(), reason })?;
            Ok(())
        }
        Value::Array(items) => items
            .iter_mut()
            .enumerate()
            .try_for_each(|(index, item)| walk(item, &format!("{path}[{index}]"), references)),
        Value::Object(entries) => entries.iter_mut().try_for_each(|(key, entry)| {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            walk(entry, &path, references)
        }),
        _ => Ok(()),
    }
}

/// The text with its references replaced; what comes in is not looked at again.
pub(crate) fn expand(text: &str, references: &dyn References) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        out.push_str(&rest[..at]);
        let (name, after) = rest[at + 2..].split_once('}').ok_or("`${` without `}`")?;
        match name.strip_prefix("file:") {
            Some(path) => {
                let content = references.file(path).map_err(|error| format!("`${{file:{path}}}`: {error}"))?;
                out.push_str(content.trim_end_matches(['\n', '\r']));
            }
            None => out.push_str(
                &references.variable(name).ok_or_else(|| format!("the environment variable `{name}` is not set"))?,
            ),
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}
