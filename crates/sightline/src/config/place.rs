//! On which line of the file a key is: the text is read once more by a reader that fails there, because only its errors know lines.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The line of a key like `cameras[0].fps`, or of the nearest thing around it that is in the text.
pub(super) fn line_of(text: &str, key: &str) -> Option<usize> {
    let steps: Vec<&str> = key.split(['.', '[']).map(|step| step.trim_end_matches(']')).collect();
    let seek = Seek(steps.as_slice());
    let stopped = seek.deserialize(serde_yaml_ng::Deserializer::from_str(text)).err()?;
    stopped.location().map(|location| location.line())
}

/// Goes down these steps, and fails where it can go no further.
struct Seek<'a>(&'a [&'a str]);

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Whatever is no mapping and no list is refused by the default methods: the way ends there.
impl<'de> Visitor<'de> for Seek<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a mapping or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let Some((wanted, rest)) = self.0.split_first() else { return Err(A::Error::custom("here")) };
        while let Some(found) = entries.next_key_seed(Key { wanted, last: rest.is_empty() })? {
            if found {
                return entries.next_value_seed(Seek(rest));
            }
            entries.next_value::<IgnoredAny>()?;
        }
        Err(A::Error::custom("around here"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let wanted = self.0.split_first().and_then(|(index, rest)| Some((index.parse::<usize>().ok()?, rest)));
        let Some((index, rest)) = wanted else { return Err(A::Error::custom("here")) };
        for _ in 0..index {
            items.next_element::<IgnoredAny>()?;
        }
        items.next_element_seed(Seek(rest))?;
        Err(A::Error::custom("around here"))
    }
}

/// Whether a key is the wanted one; the last of the way is where the reader is to fail.
struct Key<'a> {
    wanted: &'a str,
    last: bool,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<bool, E> {
        match key == self.wanted {
            true if self.last => Err(E::custom("here")),
            found => Ok(found),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::line_of;

    #[test]
    fn keys_are_found_where_they_are_written() {
        let text = "# a comment\nsite: hall\nbus:\n  nats:\n    url: \"nats://h\"\ncameras:\n  - id: a\n    source: x\n  - \
                    {id: b,\n     source: y}\n";
        for (key, line) in [
            ("site", 2),
            ("bus", 3),
            ("bus.nats.url", 5),
            ("cameras[0].source", 8),
            ("cameras[1]", 9),
            ("cameras[1].source", 10),
            // Not there: what is around it.
            ("cameras[0].fps", 7),
            ("site.deeper", 2),
        ] {
            assert_eq!(line_of(text, key), Some(line), "{key}");
        }
    }
}
